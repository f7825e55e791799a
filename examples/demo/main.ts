/**
 * `npm run demo`: an AI agent acts for a user at a real MCP server, and stops when told. Prints a
 * consent link to open in a browser; `--yes` walks the pages as the demo user. Exits non-zero if
 * anything goes otherwise than told here.
 */
import { createServer } from 'node:http';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Delegation } from 'behalf/agent';
import { AGENT, type Stage, setStage, USER } from './stage.js';
import { createBrowserless, walkPages } from './walk-pages.js';

/** The feed's promise; polled, so that the figure printed is what was seen. */
const STOP_WITHIN_MS = 2000;
const APPROVE_WITHIN_MS = 15 * 60_000;

const say = (line = ''): void => void process.stdout.write(`${line}\n`);
const expect = (truth: boolean, what: string): void => {
  if (!truth) throw new Error(`the story went otherwise: ${what}`);
};

/** Calls one tool as the agent, with the official SDK; the text, or how it was refused. */
async function callTool(
  stage: Stage,
  token: string,
  name: string,
  args: Record<string, string> = {},
) {
  const client = new Client({ name: 'scribe', version: '1.0.0' });
  const transport = new StreamableHTTPClientTransport(new URL(stage.resource), {
    requestInit: { headers: { authorization: `Bearer ${token}` } },
  });
  try {
    await client.connect(transport as Parameters<Client['connect']>[0]);
    const { content } = (await client.callTool({ name, arguments: args })) as {
      content: { text: string }[];
    };
    return { ok: true as const, text: content[0]?.text ?? '' };
  } catch (error) {
    const { code, message } = error as { code?: number; message: string };
    return { ok: false as const, status: code, text: message };
  } finally {
    await client.close();
  }
}

/** The user's part: in a browser, or as the demo user over HTTP. */
async function askUser(stage: Stage, yes: boolean): Promise<Delegation> {
  const request = { resource: stage.resource, scope: 'files:read files:delete' };
  if (yes) {
    const { url, transaction } = await stage.host.beginDelegation(request);
    const callback = await walkPages(createBrowserless(stage.issuer), url.href, USER);
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
      say('  and allow what is ticked.');
    });
  });
}

function show(token: string): Record<string, unknown> {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
  const { sub, act, client_id, aud, scope, agent_scope } = claims;
  for (const [name, value] of Object.entries({
    sub,
    act: act.sub,
    client_id,
    aud,
    scope,
    agent_scope,
  })) {
    say(`  ${name.padEnd(12)} ${value}`);
  }
  return claims;
}

async function tell(stage: Stage, yes: boolean): Promise<void> {
  say('1. Scribe, an agent with its own identity, asks Ana to let it act for her.');
  const delegation = await askUser(stage, yes);
  const { accessToken } = await delegation.token();

  say('\n2. Ana allowed it. The token says who, for whom, through what, where, and what is left:');
  const claims = show(accessToken);
  expect((claims.act as { sub: string }).sub === AGENT, 'the token names the agent');
  expect(claims.scope === 'files:list files:read', 'the agent may not delete, so nobody was asked');

  say('\n3. Scribe reads a file for Ana.');
  const read = await callTool(stage, accessToken, 'read_file', { name: 'notes.txt' });
  expect(read.ok, `the read works (${read.text})`);
  say(`  read_file    → ${read.text}`);
  say(`  audit        ${await stage.admin.sentence('tool.allowed', 'read_file')}`);

  say('\n4. It tries to delete. The agent may never do that, whatever Ana says.');
  const deleted = await callTool(stage, accessToken, 'delete_file', { name: 'notes.txt' });
  expect(
    !deleted.ok && deleted.status === 403 && deleted.text.includes('actor_unauthorized'),
    'deleting is refused',
  );
  say('  delete_file  → 403 actor_unauthorized');
  say(`  audit        ${await stage.admin.sentence('tool.refused', 'delete_file')}`);

  say('\n5. It tries to write. The agent may, but Ana did not grant it.');
  const written = await callTool(stage, accessToken, 'write_file', {
    name: 'notes.txt',
    text: 'x',
  });
  expect(
    !written.ok && written.status === 403 && written.text.includes('insufficient_scope'),
    'writing is refused',
  );
  say('  write_file   → 403 insufficient_scope');
  say(`  audit        ${await stage.admin.sentence('tool.refused', 'write_file')}`);

  const lifeSeconds = Math.round((claims.exp as number) - Date.now() / 1000);
  say(`\n6. An operator blocks Scribe. Its token has ${lifeSeconds} seconds to live.`);
  const blockedAtMs = Date.now();
  await stage.admin.block(AGENT, 'the demo says so');
  let refused = await callTool(stage, accessToken, 'read_file', { name: 'notes.txt' });
  while (refused.ok && Date.now() - blockedAtMs < STOP_WITHIN_MS) {
    refused = await callTool(stage, accessToken, 'read_file', { name: 'notes.txt' });
  }
  const tookMs = Date.now() - blockedAtMs;
  expect(
    !refused.ok && refused.status === 401 && tookMs < STOP_WITHIN_MS,
    'the blocked agent is refused in time',
  );
  say(`  read_file    → 401 invalid_token, ${tookMs} ms after the block`);
  say(`  audit        ${await stage.admin.sentence('agent.blocked', 'Scribe')}`);
}

async function main(): Promise<void> {
  say('Setting the stage: a broker, an MCP file server, an agent host …\n');
  const stage = await setStage();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void stage.clear().finally(() => process.exit(130)));
  }
  try {
    await tell(stage, process.argv.includes('--yes'));
  } finally {
    await stage.clear();
  }
  say('\nThe end. Nothing is left behind.');
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
