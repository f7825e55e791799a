// What goes wrong over HTTP is a page that says what to do for people, and JSON for programs.
import { Agent, request } from 'node:http';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBrowserless, formsOf } from '../../examples/demo/walk-pages.js';
import { FORM_MAX_BYTES } from '../../src/broker/http/body.js';
import { type Problem, problemOf } from '../../src/broker/http/refusals.js';
import { LANGUAGES } from '../../src/broker/http/texts/index.js';
import {
  ADMIN_TOKEN,
  authFor,
  authorizeUrl,
  pkce,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { FILES_CLIENT } from '../support/world.js';
import { linesOf } from './text.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t?.close());

const FORM = 'application/x-www-form-urlencoded';

interface Case {
  readonly name: string;
  readonly method?: string;
  readonly path: () => string;
  readonly body?: string;
  readonly headers?: () => Record<string, string>;
  readonly answers: readonly [status: number, problem: Problem, code: string];
  readonly allow?: string;
}

const own = () => ({ origin: t.issuer, 'sec-fetch-site': 'same-origin', 'content-type': FORM });

const CASES: readonly Case[] = [
  {
    name: 'an interaction that is over',
    path: () => '/interaction/gone',
    answers: [400, 'expired', 'invalid_request'],
  },
  {
    name: 'the way back into one',
    path: () => '/authorize/gone',
    answers: [400, 'expired', 'invalid_request'],
  },
  {
    name: 'a client nobody registered',
    path: () => authorizeUrl(t, pkce().challenge, { client_id: 'cli_nobody' }),
    answers: [400, 'unknownClient', 'invalid_client'],
  },
  {
    name: 'a redirect URI the client did not register (RFC 6749 §4.1.2.1)',
    path: () => authorizeUrl(t, pkce().challenge, { redirect_uri: 'https://evil.example/' }),
    answers: [400, 'redirectUri', 'invalid_redirect_uri'],
  },
  {
    name: 'a request without anything in it',
    path: () => '/authorize',
    answers: [400, 'request', 'invalid_request'],
  },
  {
    name: 'an address of nothing',
    path: () => '/nowhere',
    answers: [404, 'notFound', 'invalid_request'],
  },
  { name: 'the root', path: () => '/', answers: [404, 'notFound', 'invalid_request'] },
  {
    name: 'another method at the engine (RFC 9110 §15.5.6)',
    method: 'DELETE',
    path: () => '/authorize',
    answers: [405, 'wrongMethod', 'invalid_request'],
    allow: 'GET, HEAD',
  },
  {
    name: 'a program’s endpoint opened in a browser',
    path: () => '/token',
    answers: [405, 'wrongMethod', 'invalid_request'],
    allow: 'POST',
  },
  {
    name: 'another method at a page of ours',
    method: 'PUT',
    path: () => '/interaction/gone',
    answers: [405, 'wrongMethod', 'invalid_request'],
    allow: 'GET, HEAD',
  },
  {
    name: 'a form longer than any answer (RFC 9110 §15.5.14)',
    method: 'POST',
    path: () => '/interaction/gone/sign-in',
    body: `email=${'x'.repeat(FORM_MAX_BYTES)}`,
    headers: own,
    answers: [413, 'tooLong', 'invalid_request'],
  },
  {
    name: 'a form from another site (I1)',
    method: 'POST',
    path: () => '/interaction/gone/sign-in',
    body: 'email=a',
    headers: () => ({ ...own(), origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }),
    answers: [403, 'foreignForm', 'access_denied'],
  },
];

const ask = (one: Case, accept: string) =>
  fetch(new URL(one.path(), t.issuer), {
    method: one.method ?? 'GET',
    headers: { ...one.headers?.(), accept },
    redirect: 'manual',
    ...(one.body === undefined ? {} : { body: one.body }),
  });

describe.each(CASES)('$name', (one) => {
  const [status, problem, code] = one.answers;
  const words = LANGUAGES.en.texts.problems[problem];

  it('is a page that says what happened and what to do, and its number for support', async () => {
    const response = await ask(one, 'text/html');
    const lines = linesOf(await response.text());
    expect([response.status, response.headers.get('allow')]).toEqual([status, one.allow ?? null]);
    expect(lines.slice(0, 3)).toEqual([words.title, words.message, words.advice]);
    expect(lines[lines.indexOf('Request number') + 1]).toBe(response.headers.get('x-request-id'));
    expect(lines[lines.indexOf('Code') + 1]).toBe(code);
    expect(response.headers.get('content-security-policy')).toContain("form-action 'self'");
  });

  it('is JSON with the same code for a program', async () => {
    const response = await ask(one, 'application/json');
    const body = (await response.json()) as { error: string; error_description: string };
    expect([response.status, body.error, typeof body.error_description]).toEqual([
      status,
      code,
      'string',
    ]);
  });
});

describe('a form that is no longer ours', () => {
  it('is told from a page that is: answer again, nothing was allowed', async () => {
    const browser = createBrowserless(t.issuer);
    const page = await browser.open(authorizeUrl(t, pkce().challenge));
    const [form] = formsOf(page);
    if (form === undefined) throw new Error('no form');
    const answer = await browser.submit(form, { form: 'tampered.with' });
    const words = LANGUAGES.en.texts.problems.formExpired;
    expect(answer.status).toBe(403);
    expect(linesOf(answer.html).slice(0, 3)).toEqual([words.title, words.message, words.advice]);
  });
});

describe('when the database is gone', () => {
  it('pages of ours and of the engine say so, and when to try again', async () => {
    const down = await startTestBroker();
    await down.opened.db.close();
    const words = LANGUAGES.en.texts.problems.unavailable;
    for (const path of [authorizeUrl(down, pkce().challenge), `${down.issuer}/logout`]) {
      const response = await fetch(path, {
        headers: { accept: 'text/html', cookie: 'behalf_session=x' },
        redirect: 'manual',
      });
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
      expect(linesOf(await response.text()).slice(0, 1)).toEqual([words.title]);
    }
    await down.broker.close();
  });
});

describe('which page an error is shown as', () => {
  it.each([
    ['server_error', 'oops! something went wrong', 'server'],
    ['temporarily_unavailable', 'anything', 'unavailable'],
    ['invalid_scope', 'anything', 'request'],
    ['constructor', 'toString', 'request'],
  ])('%s (%s): %s', (code, sentence, problem) => {
    expect(problemOf({ code, sentence })).toBe(problem);
  });
});

describe('OPTIONS', () => {
  it('says what a page takes', async () => {
    const response = await fetch(`${t.issuer}/interaction/x`, { method: 'OPTIONS' });
    expect([response.status, response.headers.get('allow')]).toEqual([204, 'GET, HEAD']);
  });
});

describe('signing out without a session', () => {
  it('is a page of ours, which scripts leave at once and people by a button', async () => {
    const browser = createBrowserless(t.issuer);
    const page = await browser.open('/logout');
    expect(linesOf(page.html).slice(0, 3)).toEqual([
      'One moment',
      'We are sending your answer on.',
      'Continue',
    ]);
    expect(page.headers.get('content-security-policy')).toMatch(
      /script-src 'sha256-[^']+';.*style-src 'self'/,
    );
    const [form] = formsOf(page);
    if (form === undefined) throw new Error('no form');
    expect(linesOf((await browser.submit(form)).html)[0]).toBe('You are signed out');
  });
});

describe('P1, P4: a body that is too long', () => {
  it.each([
    ['a decision', '/decisions', FORM, () => authFor(t, FILES_CLIENT)],
    ['an acknowledgement', '/revocations/ack', FORM, () => authFor(t, FILES_CLIENT)],
    ['a form of an interaction', '/interaction/gone/sign-in', FORM, () => ({})],
    ['a sign-in', '/me/sign-in', FORM, () => ({})],
    ['a token request', '/token', FORM, () => authFor(t, FILES_CLIENT)],
    [
      'an administrator’s',
      '/admin/v1/agents',
      'application/json',
      () => ({ authorization: `Bearer ${ADMIN_TOKEN}` }),
    ],
  ])('of %s leaves the connection to the next request, whose it may be behind a proxy', async (_name, path, type, auth) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ask = (method: string, at: string, headers: object, body = '') =>
      new Promise<readonly [number | undefined, Socket]>((resolve, reject) => {
        const outgoing = request(`${t.issuer}${at}`, {
          agent,
          method,
          headers: { ...headers, 'content-length': body.length },
        });
        outgoing.once('response', (answer) => {
          const { socket } = answer;
          answer.resume().once('end', () => resolve([answer.statusCode, socket]));
        });
        outgoing.once('error', reject);
        outgoing.end(body);
      });
    const headers = { ...own(), ...auth(), 'content-type': type };
    const [tooLong, first] = await ask('POST', path, headers, 'x'.repeat(1024 * 1024));
    const [next, second] = await ask('GET', '/livez', {});
    expect([tooLong === 413 || path === '/token', next, first === second]).toEqual([
      true,
      200,
      true,
    ]);
    agent.destroy();
  });
});
