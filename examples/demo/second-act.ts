/**
 * The second act: work is handed on, a server calls onward, an outsider gets nothing, and the user
 * withdraws: everything that hangs on the consent stops, whoever holds it.
 */
import { type Delegation, isAgentError } from 'behalf/agent';
import { callTool, untilRefused } from './call-tool.js';
import { AGENT, FILES_SERVER, HELPER, type Stage, USER } from './stage.js';
import { actorsOf, expect, line, read, say, secondsLeft } from './tell.js';
import { createBrowserless, withdrawEverything } from './walk-pages.js';

/** The feed's promise; polled, so that the figure printed is what was seen. */
export const STOP_WITHIN_MS = 2000;

/** A token that was given in the story, and a call that shows whether it is still good. */
interface Held {
  readonly who: string;
  readonly resource: string;
  readonly token: string;
  readonly tool: string;
  readonly args: Record<string, string>;
}

export async function tellSecondAct(stage: Stage, delegation: Delegation): Promise<void> {
  const scribes = (await delegation.token()).accessToken;
  const helpers = await handOff(stage, delegation);
  const servers = await goOnward(stage, helpers);
  await refuseOutsider(stage, scribes);
  const args = { name: 'notes.txt' };
  await withdraw(stage, [
    { who: 'Scribe', resource: stage.resource, token: scribes, tool: 'read_file', args },
    { who: 'Checker', resource: stage.resource, token: helpers, tool: 'list_files', args: {} },
    { who: 'file server', resource: stage.index, token: servers, tool: 'search', args },
  ]);
}

/** @returns the helper's token */
async function handOff(stage: Stage, delegation: Delegation): Promise<string> {
  say(
    '\n6. Scribe hands part of the work to Checker: to see which files there are, for two minutes.',
  );
  const { handOffToken } = await delegation.handOff({ to: HELPER, scope: 'files:list' });
  const stolen = await callTool(stage.resource, handOffToken, 'list_files');
  expect(!stolen.ok && stolen.status === 401, 'the hand-off token itself opens nothing');
  line('hand-off', `for ${HELPER} alone; 401 invalid_token at the file server`);
  const work = await stage.helper.takeUp(handOffToken);
  const { accessToken } = await work.token();
  const claims = read(accessToken);
  const lives = secondsLeft(claims);
  const parent = read((await delegation.token()).accessToken);
  expect(claims.scope === 'files:list' && lives <= 120 && claims.exp <= parent.exp, 'it is less');
  expect(
    claims.sub === parent.sub && actorsOf(claims).join() === `${HELPER},${AGENT}`,
    'the chain',
  );
  line('act', actorsOf(claims).join(' ← '));
  line('scope', `${claims.scope}, for ${lives} of Scribe's ${secondsLeft(parent)} seconds`);
  const listed = await callTool(stage.resource, accessToken, 'list_files');
  expect(listed.ok, `the helper lists the files (${listed.text})`);
  line('list_files', `→ ${listed.text}`);
  line('audit', await stage.admin.sentence('tool.allowed', 'list_files'));
  return accessToken;
}

/** @returns the file server's token */
async function goOnward(stage: Stage, helpers: string): Promise<string> {
  say(
    '\n7. Checker asks where a file is. The file server asks the index, in a token for it alone:',
  );
  const found = await callTool(stage.resource, helpers, 'find_file', { name: 'notes.txt' });
  expect(found.ok, `the file is found (${found.text})`);
  const token = stage.onward.at(-1) ?? '';
  const claims = read(token);
  const chain = [FILES_SERVER, HELPER, AGENT];
  expect(actorsOf(claims).join() === chain.join() && claims.aud === stage.index, 'the whole chain');
  expect(claims.exp <= read(helpers).exp, 'it ends no later than the token it came from');
  const { sub, aud, scope, act } = claims;
  say(JSON.stringify({ sub, aud, scope, act }, null, 2).replace(/^/gm, '  '));
  line('find_file', `→ ${found.text}`);
  line('audit', await stage.admin.sentence('tool.allowed', 'search'));
  return token;
}

async function refuseOutsider(stage: Stage, scribes: string): Promise<void> {
  say('\n8. Courier, an agent that takes work from nobody, got hold of Scribe’s token.');
  const outcome = await stage.outsider.exchange({ subjectToken: scribes }).then(
    () => 'a token',
    (error: unknown) => (isAgentError(error) ? `${error.status} ${error.code}` : String(error)),
  );
  expect(outcome === '400 invalid_request', `the outsider is refused (${outcome})`);
  line('exchange', `→ ${outcome}`);
  const said = await stage.admin.sentence('token.refused', 'Courier');
  expect(said.includes('takes no work from'), `by the right rule (${said})`);
  line('audit', said);
}

async function withdraw(stage: Stage, held: readonly Held[]): Promise<void> {
  const left = held.map(({ who, token }) => `${who}’s ${secondsLeft(read(token))}`).join(', ');
  say(`\n9. Ana withdraws at /me. Tokens have seconds to live: ${left}.`);
  const receipt = await withdrawEverything(createBrowserless(stage.issuer), stage.issuer, USER);
  const withdrawnAtMs = Date.now();
  const refusals = await Promise.all(
    held.map(({ resource, token, tool, args }) =>
      untilRefused(() => callTool(resource, token, tool, args), withdrawnAtMs, STOP_WITHIN_MS),
    ),
  );
  for (const [n, { tookMs, status }] of refusals.entries()) {
    const { who = '', tool = '' } = held[n] ?? {};
    expect(status === 401 && tookMs < STOP_WITHIN_MS, `${who} is refused in time`);
    line(tool, `→ 401 invalid_token, ${who}, ${tookMs} ms after the withdrawal`);
  }
  line('audit', await stage.admin.sentence('consent.ended', 'Scribe'));
  say('   The receipt:');
  for (const [name, value] of receipt) say(`     ${name.padEnd(46)} ${value}`);
  expect(Number(receipt.get('Keys in use (access tokens)')) >= held.length, 'the receipt counts');
}
