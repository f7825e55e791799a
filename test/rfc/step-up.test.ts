// Q16 (RFC 6750 §3.1): version 1 of the MCP SDK refreshes where it should ask the user. With the switch on,
// the refresh right after a reported `insufficient_scope` is refused once, and the SDK does ask.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBrowserless, formsOf, formTo, walkPages } from '../../examples/demo/walk-pages.js';
import { startToolServer } from '../../examples/tool-server.js';
import {
  authFor,
  authorize,
  claimsOf,
  freePort,
  postForm,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import {
  ANA,
  DESKTOP,
  FILE_SCOPES,
  FILES,
  FILES_CLIENT,
  HOST,
  LOOPBACK,
  NOTES,
  SERVICE,
} from '../support/world.js';

let t: TestBroker;
let folder: string;
let resource: string;
let server: { close(): Promise<unknown> };
beforeAll(async () => {
  t = await startTestBroker({ config: { stepUpByRefresh: true } });
  const port = await freePort();
  resource = `http://127.0.0.1:${port}/mcp`;
  const scopes = structuredClone(FILE_SCOPES) as never;
  const { resources } = t.broker.registry;
  await resources.create('admin', {
    identifier: resource,
    name: 'Files',
    scopes,
    client: FILES_CLIENT,
  });
  await resources.patch('admin', NOTES, { client: SERVICE });
  folder = await mkdtemp(join(tmpdir(), 'behalf-step-up-'));
  await writeFile(join(folder, 'notes.txt'), 'hello');
  const report = { clientId: FILES_CLIENT, clientSecret: t.secrets[FILES_CLIENT] as string };
  server = await startToolServer(port, folder, { issuer: t.issuer, resource, report });
});
afterAll(async () => {
  await server.close();
  await t.close();
  await rm(folder, { recursive: true, force: true });
});

describe('SDK v1 with a refresh token, unmodified', () => {
  /** A host as it comes: it keeps what it is given, and forgets what it is told to. */
  function createHost() {
    const kept: { tokens?: Record<string, unknown> | undefined; verifier?: string } = {};
    const sentTo: URL[] = [];
    const provider = {
      redirectUrl: LOOPBACK,
      clientMetadata: { redirect_uris: [LOOPBACK], client_name: 'Desktop' },
      clientInformation: () => ({ client_id: DESKTOP }),
      tokens: () => kept.tokens as never,
      saveTokens: (tokens: Record<string, unknown>) => {
        kept.tokens = tokens;
      },
      redirectToAuthorization: (url: URL) => void sentTo.push(url),
      saveCodeVerifier: (verifier: string) => {
        kept.verifier = verifier;
      },
      codeVerifier: () => kept.verifier as string,
      invalidateCredentials: () => {
        kept.tokens = undefined;
      },
    };
    const open = () =>
      new StreamableHTTPClientTransport(new URL(resource), { authProvider: provider as never });
    return { kept, sentTo, open };
  }

  it('asks the user for what was needed, with what was granted before, and goes on', async () => {
    const { kept, sentTo, open } = createHost();
    const browser = createBrowserless(t.issuer);
    const decide = async (
      transport: StreamableHTTPClientTransport,
      url: URL,
      ...scopes: string[]
    ) => {
      const callback = await walkPages(browser, url.href, { ...ANA, scopes });
      await transport.finishAuth(callback.searchParams.get('code') as string);
    };
    const begin = open();
    await expect(new Client({ name: 'h', version: '1' }).connect(begin as never)).rejects.toThrow();
    await decide(begin, sentTo[0] as URL, 'files:list', 'files:read');
    expect(kept.tokens).toMatchObject({
      scope: 'files:list files:read',
      refresh_token: expect.any(String),
    });

    // The report goes behind the answer: where the client was faster, its next attempt is the one.
    let transport = open();
    for (let n = 0; n < 5 && sentTo.length === 1; n += 1) {
      transport = open();
      const client = new Client({ name: 'h', version: '1' });
      await client.connect(transport as never);
      const call = { name: 'write_file', arguments: { name: 'notes.txt', text: 'more' } };
      await client.callTool(call).catch(() => undefined);
    }
    expect(sentTo).toHaveLength(2);
    expect(sentTo[1]?.searchParams.get('scope')?.split(' ').sort()).toEqual([
      'files:list',
      'files:read',
      'files:write',
    ]);
    const page = await browser.open((sentTo[1] as URL).href);
    const form = formsOf(page).find(({ action }) => action === formTo(page, '/decision')?.action);
    expect(form?.fields.getAll('scope').sort()).toEqual([
      'files:list',
      'files:read',
      'files:write',
    ]);
    await decide(transport, sentTo[1] as URL, 'files:list', 'files:read', 'files:write');
    expect(kept.tokens?.scope).toBe('files:list files:read files:write');

    const client = new Client({ name: 'h', version: '1' });
    await client.connect(open() as never);
    const call = { name: 'write_file', arguments: { name: 'notes.txt', text: 'more' } };
    expect(await client.callTool(call)).toMatchObject({ content: [{ text: 'done' }] });
    expect(await readFile(join(folder, 'notes.txt'), 'utf8')).toBe('more');
    expect(sentTo).toHaveLength(2);
    await client.close();
  });
});

describe('what makes a refresh ask', () => {
  type Tokens = { access_token: string; refresh_token: string };
  /** An ordinary client of Ana's, at the file server. */
  async function tokens(on = t): Promise<Tokens> {
    const params = { client_id: DESKTOP, redirect_uri: LOOPBACK, requested_actor: undefined };
    const { code, verifier } = await authorize(on, { params: { ...params, scope: 'files:read' } });
    const answer = await postForm(`${on.issuer}/token`, {
      grant_type: 'authorization_code',
      client_id: DESKTOP,
      code,
      code_verifier: verifier,
      redirect_uri: LOOPBACK,
    });
    return answer.body;
  }
  const refresh = async (token: string, on = t) => {
    const { status, body } = await postForm(`${on.issuer}/token`, {
      grant_type: 'refresh_token',
      client_id: DESKTOP,
      refresh_token: token,
    });
    return status === 200 ? 'renewed' : `${status} ${body.error}`;
  };

  interface Told {
    readonly jti?: string;
    readonly resource?: string;
    readonly by?: string;
    readonly more?: Record<string, unknown>;
  }
  async function report(token: string, told: Told = {}, on = t): Promise<number> {
    const { jti, sub, client_id } = claimsOf(token);
    const decision = {
      at: Date.now(),
      allowed: false,
      tool: 'write_file',
      jti: told.jti ?? jti,
      sub,
      act: null,
      client_id,
      resource: told.resource ?? FILES,
      required: ['files:write'],
      missing_user: ['files:write'],
      missing_agent: [],
      code: 'insufficient_scope',
      ...told.more,
    };
    const response = await fetch(`${on.issuer}/decisions`, {
      method: 'POST',
      headers: { ...authFor(on, told.by ?? FILES_CLIENT), 'content-type': 'application/json' },
      body: JSON.stringify({ decisions: [decision] }),
    });
    return response.status;
  }

  it('one report makes one refresh invalid_grant; the same token is good again, and the grant lives', async () => {
    const { access_token, refresh_token } = await tokens();
    expect(await report(access_token)).toBe(204);
    expect(await refresh(refresh_token)).toBe('400 invalid_grant');
    expect(await refresh(refresh_token)).toBe('renewed');
    const about = { token: access_token };
    const { body } = await postForm(`${t.issuer}/introspect`, about, authFor(t, FILES_CLIENT));
    expect(body.active).toBe(true);
    const [event] = await t.opened.db.run<{ detail: object; grant_id: string }>(
      `select detail, grant_id from audit_events where type = 'token.refused' order by id desc limit 1`,
    );
    expect(event).toMatchObject({
      grant_id: String(claimsOf(access_token).jti).split('.')[1],
      detail: { rule: 'step_up', code: 'invalid_grant' },
    });
  });

  it('of many refreshes at once, one: each report is answered once', async () => {
    const { access_token, refresh_token } = await tokens();
    await report(access_token);
    const answers = await Promise.all(Array.from({ length: 8 }, () => refresh(refresh_token)));
    const { rows } = await count();
    expect(answers).toContain('renewed');
    expect(rows).toBe(1);
    async function count() {
      const id = String(claimsOf(access_token).jti).split('.')[1];
      const found = await t.opened.db.run(
        `select 1 from audit_events where grant_id = $1 and detail ->> 'rule' = 'step_up'`,
        [id],
      );
      return { rows: found.length };
    }
  });

  it.each<[string, (token: Tokens, other: Tokens) => Promise<unknown>]>([
    ['no report', async () => undefined],
    ['a report about another grant', (_, other) => report(other.access_token)],
    [
      'a report about a token nobody issued, of the same grant',
      ({ access_token }) => report(access_token, { jti: `${claimsOf(access_token).jti}x` }),
    ],
    [
      'a report of another resource’s server',
      ({ access_token }) => report(access_token, { resource: NOTES, by: SERVICE }),
    ],
    [
      'a report for this resource by a stranger',
      async ({ access_token }) => expect(await report(access_token, { by: SERVICE })).not.toBe(204),
    ],
    [
      'something the user could not give',
      ({ access_token }) =>
        report(access_token, {
          more: { code: 'actor_unauthorized', missing_user: [], missing_agent: ['files:write'] },
        }),
    ],
    [
      'a call that was allowed',
      ({ access_token }) => report(access_token, { more: { allowed: true } }),
    ],
  ])('not %s', async (_name, act) => {
    const [mine, other] = [await tokens(), await tokens()];
    await act(mine, other);
    expect(await refresh(mine.refresh_token)).toBe('renewed');
  });

  it('not a report that is half a minute old: whoever goes on with less is left alone', async () => {
    const { access_token, refresh_token } = await tokens();
    await report(access_token);
    await t.opened.db.run(
      `update audit_events set at = at - interval '31 seconds' where jti = $1 and type = 'tool.refused'`,
      [claimsOf(access_token).jti],
    );
    expect(await refresh(refresh_token)).toBe('renewed');
  });

  it('not an agent host that proves its agent: it steps up by itself', async () => {
    const { body } = await redeem(t, await authorize(t));
    await report(body.access_token);
    const renewed = await postToken(t, HOST, {
      grant_type: 'refresh_token',
      refresh_token: body.refresh_token,
    });
    expect(renewed.status).toBe(200);
  });

  it('not where the operator did not ask for it', async () => {
    const plain = await startTestBroker();
    const { access_token, refresh_token } = await tokens(plain);
    expect(await report(access_token, {}, plain)).toBe(204);
    expect(await refresh(refresh_token, plain)).toBe('renewed');
    await plain.close();
  });
});
