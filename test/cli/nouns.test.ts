// The nouns of the command line (DESIGN §12) against a broker that runs: one verb after another, as
// an operator types them; JSON on request, a table or names and values otherwise.

import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../support/broker.js';
import { certificate } from '../support/client-certificates.js';
import { createIdp, IDP } from '../support/idp.js';
import { ROOT, scratchFolder } from '../support/repository.js';

let cwd: string;
let environment: Record<string, string | undefined>;
let server: ChildProcess;

function start(args: readonly string[]): ChildProcess {
  const program = [
    '--import',
    join(ROOT, 'node_modules/tsx/dist/loader.mjs'),
    join(ROOT, 'src/broker/main.ts'),
  ];
  return spawn(process.execPath, [...program, ...args], { cwd, env: environment, stdio: 'pipe' });
}

interface Said {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function behalf(args: readonly string[], input = ''): Promise<Said> {
  const child = start(args);
  let [out, err] = ['', ''];
  child.stdout?.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdin?.end(input);
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err })));
}
/** One line of a shell; `--json` may stand anywhere. */
const json = async (line: string, input = '') => {
  const { code, out, err } = await behalf([...line.split(' '), '--json'], input);
  expect([line, code, err]).toEqual([line, 0, '']);
  return JSON.parse(out);
};
/** What a stop says it ended, where nothing was alive. */
const NOTHING_ENDED = {
  receipt: {
    ended_at: expect.any(String),
    access_tokens: 0,
    exchanged_tokens: 0,
    helper_chains: 0,
    refresh_tokens: 0,
    grants: 0,
    consents: 0,
    revocation: expect.any(Number),
  },
};
const NOTHING_ENDED_YET = { receipt: { ...NOTHING_ENDED.receipt, revocation: null } };
const ids = ({ items }: { items: { id: string }[] }) => items.map(({ id }) => id);

beforeAll(async () => {
  cwd = scratchFolder('nouns');
  const port = await freePort();
  environment = {
    PATH: process.env.PATH,
    BEHALF_DATA_DIR: join(cwd, 'data'),
    BEHALF_PORT: String(port),
    BEHALF_ISSUER: `http://127.0.0.1:${port}`,
    BEHALF_LOG_LEVEL: 'silent',
  };
  server = start(['serve']);
  await new Promise<void>((resolve, reject) => {
    server.once('close', () => reject(new Error('serve ended')));
    server.stderr?.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('listening on')) resolve();
    });
  });
}, 60_000);
afterAll(() => {
  server.removeAllListeners('close');
  server.kill('SIGKILL');
});

describe('DESIGN §12: behalf, noun by noun', { timeout: 240_000 }, () => {
  it('client: create with flags, change, bind, list by filter, retire', async () => {
    const made = await json(
      'client create --id cli_desk --kind app --name Desk --redirect-uris https://desk.example/cb --auth client_secret_basic --require-par',
    );
    expect(made).toMatchObject({
      id: 'cli_desk',
      require_par: true,
      may_exchange: true,
      credential: { kind: 'secret' },
    });
    expect(
      await json('client change cli_desk --require-par no --may-exchange no --contact a@b.example'),
    ).toMatchObject({ require_par: false, may_exchange: false, contact: 'a@b.example' });
    expect(await json('client change cli_desk --dpop-bound')).toMatchObject({ dpop_bound: true });
    expect(await json('client change cli_desk --clear contact')).toMatchObject({ contact: null });
    await json('client create --id cli_job --kind service --name Job');
    expect(ids(await json('client list --kind service'))).toEqual(['cli_job']);
    expect(await json('client retire cli_job')).toEqual(NOTHING_ENDED);
    expect(ids(await json('client list --status retired'))).toEqual(['cli_job']);
  });

  it('agent: a draft is activated, paused, resumed, blocked, unblocked and retired', async () => {
    const made = await json(
      'agent create --id agt_a --name Scribe --owner Ops --status draft --tags night,eu --clients cli_desk --redirect-uris https://a.example/cb --require-par --require-signed-request',
    );
    expect(made).toMatchObject({ status: 'draft', tags: ['eu', 'night'], clients: ['cli_desk'] });
    expect(made).toMatchObject({ require_par: true, require_signed_request: true });
    expect(
      await json('agent change agt_a --require-signed-request no --may-exchange no --dpop-bound'),
    ).toMatchObject({
      dpop_bound: true,
      require_par: true,
      require_signed_request: false,
      may_exchange: false,
    });
    for (const [verb, status] of [
      ['activate', 'active'],
      ['pause', 'paused'],
      ['resume', 'active'],
      ['block', 'blocked'],
      ['unblock', 'active'],
      ['retire', 'retired'],
    ]) {
      const reason = ['pause', 'block', 'retire'].includes(verb as string) ? ' --reason why' : '';
      expect([verb, (await json(`agent ${verb} agt_a${reason}`)).status]).toEqual([verb, status]);
    }
    expect(await behalf(['agent', 'resume', 'agt_a'])).toEqual({
      code: 1,
      out: '',
      err: 'behalf: The request conflicts with what there is\n  id: agt_a is retired\n',
    });
    const { out } = await behalf(['audit', '--agent', 'agt_a', '--limit', '3']);
    expect(
      out
        .split('\n')
        .slice(1, 4)
        .map((line) => line.slice(26)),
    ).toEqual([
      expect.stringMatching(/retired agent agt_a: why$/),
      expect.stringMatching(/^Scribe was unblocked by /),
      expect.stringMatching(/^Scribe was blocked by .*: why$/),
    ]);
    const lines = await behalf('audit --agent agt_a --limit 2 --format jsonl'.split(' '));
    const events = lines.out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const all = await json('audit --agent agt_a --limit 200');
    expect([events, events.length > 4]).toEqual([all.items, true]);
  });

  it('explain: a refusal in words, with the command that allows it, and that command does', async () => {
    await json('agent create --id agt_ask --name Asker --owner Ops');
    const { secret } = await json('agent credential add agt_ask');
    await json(
      `resource create --identifier https://ask.example --name Ask --data {"scopes":{"ask:read":{"title":"Read","risk":"read"}}}`,
    );
    const ask = () =>
      fetch(`${environment.BEHALF_ISSUER}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`agt_ask:${secret}`)}` },
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          resource: 'https://ask.example',
          scope: 'ask:read',
        }),
      });
    expect((await ask()).status).toBe(400);
    const { items } = await json('audit --agent agt_ask --type token.refused');
    const told = await behalf(['explain', String(items[0].id)]);
    expect(told.out.split('\n')).toEqual([
      'Asker was refused ask:read at Ask: Asker does not hold it',
      'rule     not_held: Asker does not hold it',
      'lost     ask:read, by agent',
      'now      refused: Asker does not hold it',
      'change   1. permit Asker ask:read at Ask',
      '  behalf permission set agt_ask https://ask.example ask:read',
      '',
    ]);
    const command = told.out.trimEnd().split('\n').at(-1)?.trim().split(' ').slice(1) ?? [];
    expect((await behalf(command)).code).toBe(0);
    const token = ((await (await ask()).json()) as { access_token: string }).access_token;
    // As `behalf token … | behalf explain -` hands it on.
    const alive = await behalf(['explain', '-'], `access_token  ${token}\nexpires_in    300\n`);
    expect(alive.out).toMatch(/^Asker got a token at Ask for ask:read\ntoken {4}alive until 2/);
    expect(await behalf(['explain', 'x.y.z'])).toMatchObject({ code: 1, out: '' });
  });

  it('credential: a certificate, a name in one, an attester', async () => {
    await json('agent create --id agt_c --name Sealed --owner Ops --auth tls_client_auth');
    const add = (name: string, value: string) =>
      behalf(['agent', 'credential', 'add', 'agt_c', `--${name}`, value, '--json']);
    const own = certificate();
    const added = [
      await add('certificate', own.pem),
      await add('rule', '{"san_dns":"c.example"}'),
      await add('issuer', 'https://attester.example'),
    ].map(({ out }) => JSON.parse(out));
    expect(added).toMatchObject([
      { kind: 'certificate', thumbprint: own.thumbprint, rule: null },
      { kind: 'certificate', thumbprint: null, rule: { san_dns: 'c.example' } },
      { kind: 'attestation', thumbprint: null, rule: { issuer: 'https://attester.example' } },
    ]);
  });

  it('credential: added, rotated with an overlap, listed, seen to expire, removed', async () => {
    await json('agent create --id agt_b --name B --owner Ops');
    const added = await json('agent credential add agt_b --name laptop');
    expect(added).toMatchObject({ name: 'laptop', secret: expect.stringMatching(/^[\w-]{43}$/) });
    const rotated = await json(
      `agent credential rotate agt_b ${added.id} --overlap-seconds 600 --name next`,
    );
    const listed = await json('agent credential list agt_b --expiring-within-seconds 700');
    expect(ids(listed)).toEqual([added.id]);
    expect(JSON.stringify(listed)).not.toContain(added.secret);
    const { out } = await behalf(['agent', 'list', '--q', 'B']);
    expect(out.split('\n')[0]).toMatch(/^id +name +owner +status +clients +credentials_expire_at$/);
    expect(out).toContain(listed.items[0].expires_at);
    expect(await json(`agent credential remove agt_b ${rotated.id}`)).toEqual(NOTHING_ENDED);
    expect(ids(await json('agent credential list agt_b'))).not.toContain(rotated.id);
  });

  it('client token (RFC 7591 §3): shown once, listed without itself, removed', async () => {
    const tomorrow = new Date(Date.now() + 864e5).toISOString();
    const made = await json(`client token create --name laptop --expires-at ${tomorrow}`);
    expect(made).toMatchObject({
      id: expect.stringMatching(/^iat_/),
      name: 'laptop',
      expires_at: tomorrow,
      used_by: null,
      token: expect.stringMatching(/^[\w-]{43}$/),
    });
    const { token, ...shown } = made;
    expect((await json('client token list')).items).toEqual([shown]);
    expect(await json(`client token show ${made.id}`)).toEqual(shown);
    expect(await json(`client token remove ${made.id}`)).toBeNull();
    expect((await json('client token list')).items).toEqual([]);
    expect((await behalf(['client', 'token', 'remove', made.id])).err).toContain('there is no');
  });
  it('trusted-issuer, and the identities of a user', async () => {
    const idp = createIdp(IDP);
    const data = JSON.stringify({ jwks: idp.jwks });
    const made = await json(
      `trusted-issuer create --issuer ${IDP} --name Corp --purposes workload --data -`,
      data,
    );
    expect(made).toMatchObject({ issuer: IDP, purposes: ['workload'], jwks: idp.jwks });
    const changed = await json(`trusted-issuer change ${IDP} --purposes workload,attestation`);
    expect(changed.purposes).toEqual(['attestation', 'workload']);
    const listed = await json('trusted-issuer list --purpose attestation');
    expect(listed.items).toEqual([changed]);
    const person = JSON.stringify({ email: 'i@example.com', name: 'I' });
    const { id } = await json('user create --data -', person);
    const identity = await json(`user identity add ${id} ${IDP} s-1`);
    expect(identity).toMatchObject({ issuer: IDP, subject: 's-1', user_id: id });
    expect((await json(`user identity list ${id}`)).items).toEqual([identity]);
    expect(await json(`user identity remove ${id} ${IDP} s-1`)).toMatchObject(NOTHING_ENDED_YET);
    expect(await json(`trusted-issuer retire ${IDP}`)).toMatchObject(NOTHING_ENDED_YET);
    expect((await json(`trusted-issuer show ${IDP}`)).status).toBe('retired');
  }, 60_000);

  it('role, user and permission; a password comes by standard input', async () => {
    expect(await json('role create --name staff --description here')).toMatchObject({
      name: 'staff',
    });
    const person = { email: 'ana@example.com', name: 'Ana', password: 'correct horse battery' };
    const user = await json('user create --data - --roles staff', JSON.stringify(person));
    expect(user).toMatchObject({ has_password: true, roles: ['staff'] });
    expect(await json(`user disable ${user.id} --reason left`)).toMatchObject({
      status: 'disabled',
      status_reason: 'left',
    });
    expect(ids(await json('user list --status disabled --role staff'))).toEqual([user.id]);
    expect(await json(`user enable ${user.id}`)).toMatchObject({ status: 'active' });
    const scopes = JSON.stringify({
      'f:r': { title: 'R', risk: 'read' },
      'f:w': { title: 'W', risk: 'write' },
    });
    const resource = { identifier: 'https://f.example/mcp', name: 'F', scopes: JSON.parse(scopes) };
    await json('resource create --data -', JSON.stringify(resource));
    const at = 'https://f.example/mcp';
    expect(await json(`permission set role:staff ${at} f:r f:w`)).toMatchObject({
      principal: 'role:staff',
      scopes: ['f:r', 'f:w'],
    });
    expect((await json(`permission show role:staff ${at}`)).scopes).toEqual(['f:r', 'f:w']);
    expect((await json('permission list --scope f:w')).items).toHaveLength(1);
    expect((await behalf(['role', 'remove', 'staff'])).err).toContain('is in use');
    expect(await json(`permission remove role:staff ${at}`)).toBeNull();
    expect((await json('permission list --principal role:staff')).items).toEqual([]);
    expect((await behalf(['role', 'show', 'staff'])).out).toMatch(
      /^name +staff\ndescription +here\n/,
    );
  });

  it('resource tools: exits 1 while a tool is new or changed, until it is mapped or accepted', async () => {
    const at = 'https://tools.example/mcp';
    const { id, credential } = await json('client create --name Tools --kind service');
    const scopes = { 't:r': { title: 'R', risk: 'read' } };
    const resource = { identifier: at, name: 'T', client: id, scopes, tools: { read: ['t:r'] } };
    await json('resource create --data -', JSON.stringify(resource));
    const publish = async (tools: object) =>
      fetch(`${environment.BEHALF_ISSUER}/tools`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${id}:${credential.secret}`)}` },
        body: JSON.stringify({ resource: at, tools }),
      });
    const tools = () => behalf(['resource', 'tools', at]);
    expect(await tools()).toMatchObject({ code: 0, out: expect.stringMatching(/not_published/) });
    const [first, second] = ['f'.repeat(43), 's'.repeat(43)];
    expect((await publish({ read: first })).status).toBe(200);
    expect(await tools()).toMatchObject({
      code: 0,
      out: expect.stringMatching(/read +known +t:r/),
    });
    await publish({ read: second, fresh: first });
    const drifted = await tools();
    expect(drifted).toMatchObject({ code: 1, err: '' });
    expect(drifted.out).toMatch(/^tool +state +scopes/);
    expect(drifted.out).toMatch(/\nfresh +new +– +f{43}/);
    expect(drifted.out).toMatch(/\nread +changed +t:r +s{43}/);
    const stale = await behalf(['resource', 'accept-tool', at, 'read', first]);
    expect(stale).toMatchObject({ code: 1, err: expect.stringContaining('look at it again') });
    expect(await json(`resource accept-tool ${at} read ${second}`)).toMatchObject({ drift: 1 });
    await json(`resource change ${at} --data {"tools":{"read":["t:r"],"fresh":["t:r"]}}`);
    expect((await tools()).code).toBe(0);
  });

  it('consent, grant, revocation, audit: listed, shown, ended, counted', async () => {
    expect(await json('consent list --live --user usr_x')).toEqual({
      items: [],
      next_cursor: null,
    });
    expect(await json('grant list --consent cns_x')).toEqual({ items: [], next_cursor: null });
    expect((await behalf(['consent', 'show', 'cns_x'])).err).toContain('no consent "cns_x"');
    expect((await behalf(['grant', 'end', 'gnt_x', '--reason', 'x'])).err).toContain(
      'no live grant "gnt_x"',
    );
    expect(await json('consent end-all --agent agt_a --dry-run')).toMatchObject({
      dry_run: true,
      receipt: { consents: 0, grants: 0 },
    });
    expect((await behalf(['consent', 'end-all'])).err).toContain('name a user, agent');
    const { items } = await json('revocation --key agt_a');
    expect(items).toMatchObject([{ key: 'agt_a', always: true }]);
    const { id, ...fact } = items[0];
    expect(await json(`revocation show ${id}`)).toEqual({
      id,
      ...fact,
      receipt: { ...NOTHING_ENDED.receipt, revocation: id },
      confirmed_by: [],
      waiting_for: [],
    });
    expect((await behalf(['revocation', 'show', '999999'])).err).toContain('no revocation');
    const since = new Date(Date.now() - 3_600_000).toISOString();
    const told = await json(`audit --agent agt_a --type registry.created --since ${since}`);
    expect(told.items).toHaveLength(1);
  });
});
