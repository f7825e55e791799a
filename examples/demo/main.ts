/**
 * `npm run demo`: an AI agent acts for a user at a real MCP server, hands work on, and stops when told. Prints a
 * consent link to open in a browser; `--yes` walks the pages as the demo user. Exits non-zero if
 * anything goes otherwise than told here.
 */
import { createServer } from 'node:http';
import type { Delegation } from 'behalf/agent';
import { callTool, untilRefused } from './call-tool.js';
import { STOP_WITHIN_MS, tellSecondAct } from './second-act.js';
import { AGENT, type Stage, setStage, USER } from './stage.js';
import { actorsOf, type Claims, expect, line, read, say, secondsLeft } from './tell.js';
import { createBrowserless, walkPages } from './walk-pages.js';

const APPROVE_WITHIN_MS = 15 * 60_000;

/** The user's part: in a browser, or as the demo user over HTTP. */
async function askUser(stage: Stage, yes: boolean): Promise<Delegation> {
  const request = { resource: stage.resource, scope: 'files:read files:delete' };
  if (yes) {
    const { url, transaction } = await stage.host.beginDelegation(request);
    const callback = await walkPages(createBrowserless(stage.issuer), url.href, {
      ...USER,
      helpers: 1,
    });
    return stage.host.completeDelegation(callback, transaction);
  }
  return new Promise((resolve, reject) => {
    let transaction = '';
    const timer = setTimeout(() => reject(new Error('nobody approved in time')), APPROVE_WITHIN_MS);
    const server = createServer(async (req, res) => {
      const url = new URL(req.url ?? '/', `http://127.0.0.1:${stage.callbackPort}`);
      if (url.pathname === '/') {
        const begun = await stage.host.beginDelegation(request).catch(reject);
        if (begun === undefined) return void res.writeHead(503).end();
        transaction = begun.transaction;
        return void res.writeHead(303, { location: begun.url.href }).end();
      }
      if (url.pathname !== '/callback') return void res.writeHead(404).end();
      res.writeHead(200, { 'content-type': 'text/plain', connection: 'close' });
      res.end('Thank you. The story goes on in your terminal.');
      clearTimeout(timer);
      server.close();
      stage.host.completeDelegation(url, transaction).then(resolve, reject);
    });
    server.once('error', reject).listen(stage.callbackPort, '127.0.0.1', () => {
      say(`  Open   http://127.0.0.1:${stage.callbackPort}/`);
      say(`  as     ${USER.email}  /  ${USER.password}`);
      say('  allow what is ticked, and up to 1 helper.');
    });
  });
}

function show(token: string): Claims {
  const claims = read(token);
  const { sub, client_id, aud, scope, agent_scope } = claims;
  const told = { sub, act: actorsOf(claims).join(' ← '), client_id, aud, scope, agent_scope };
  for (const [name, value] of Object.entries(told)) line(name, value);
  return claims;
}

async function tellFirstAct(stage: Stage, yes: boolean): Promise<Delegation> {
  say('1. Scribe, an agent with its own identity, asks Ana to let it act for her.');
  const delegation = await askUser(stage, yes);
  const { accessToken } = await delegation.token();
  const call = (tool: string, args: Record<string, string>) =>
    callTool(stage.resource, accessToken, tool, { name: 'notes.txt', ...args });

  say('\n2. Ana allowed it. The token says who, for whom, through what, where, and what is left:');
  const claims = show(accessToken);
  expect(claims.act?.sub === AGENT, 'the token names the agent');
  expect(claims.scope === 'files:list files:read', 'the agent may not delete, so nobody was asked');

  say('\n3. Scribe reads a file for Ana.');
  const found = await call('read_file', {});
  expect(found.ok, `the read works (${found.text})`);
  line('read_file', `→ ${found.text}`);
  line('audit', await stage.admin.sentence('tool.allowed', 'read_file'));

  say('\n4. It tries to delete. The agent may never do that, whatever Ana says.');
  const deleted = await call('delete_file', {});
  expect(!deleted.ok && deleted.status === 403, 'deleting is refused');
  expect(deleted.text.includes('actor_unauthorized'), 'because of the agent');
  line('delete_file', '→ 403 actor_unauthorized');
  line('audit', await stage.admin.sentence('tool.refused', 'delete_file'));

  say('\n5. It tries to write. The agent may, but Ana did not grant it.');
  const written = await call('write_file', { text: 'x' });
  expect(!written.ok && written.status === 403, 'writing is refused');
  expect(written.text.includes('insufficient_scope'), 'because of the user');
  line('write_file', '→ 403 insufficient_scope');
  line('audit', await stage.admin.sentence('tool.refused', 'write_file'));
  return delegation;
}

/** What Scribe may do for itself did not hang on Ana; it hangs on Scribe. */
async function tellTheEnd(stage: Stage): Promise<void> {
  const { resource } = stage;
  const { accessToken } = await stage.host.token({ resource, scope: 'files:read' });
  const call = () => callTool(resource, accessToken, 'read_file', { name: 'notes.txt' });
  const own = await call();
  expect(own.ok, `what the agent may do for itself goes on (${own.text})`);
  say('\n10. Scribe still reads for itself. An operator blocks it.');
  line(
    'read_file',
    `→ ${own.text} (its token has ${secondsLeft(read(accessToken))} seconds to live)`,
  );
  const blockedAtMs = Date.now();
  await stage.admin.block(AGENT, 'the demo says so');
  const { tookMs, status } = await untilRefused(call, blockedAtMs, STOP_WITHIN_MS);
  expect(status === 401 && tookMs < STOP_WITHIN_MS, 'the blocked agent is refused in time');
  line('read_file', `→ 401 invalid_token, ${tookMs} ms after the block`);
  line('audit', await stage.admin.sentence('agent.blocked', 'Scribe'));
}

async function main(): Promise<void> {
  say('Setting the stage: a broker, two MCP servers, three agents …\n');
  const stage = await setStage();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void stage.clear().finally(() => process.exit(130)));
  }
  try {
    const delegation = await tellFirstAct(stage, process.argv.includes('--yes'));
    await tellSecondAct(stage, delegation);
    await tellTheEnd(stage);
  } finally {
    await stage.clear();
  }
  say('\nThe end. Nothing is left behind.');
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
