// The cookies of a whole walk, as a browser would be told to keep them (I10, ASVS 3.3).
import { afterAll, describe, expect, it } from 'vitest';
import { formsOf } from '../../examples/demo/walk-pages.js';
import { type Broker, createBroker } from '../../src/broker/app.js';
import { authorizeUrl, freePort, pkce, type TestBroker, testConfig } from '../support/broker.js';
import { openTestPostgres } from '../support/databases.js';
import { ANA, seedWorld } from '../support/world.js';

const open: Array<() => Promise<void>> = [];
afterAll(async () => {
  for (const close of open) await close();
});

/** A broker whose issuer is not where it listens: as behind a proxy that ends TLS. */
async function startAs(issuerOf: (port: number) => string) {
  const opened = await openTestPostgres();
  await seedWorld(opened.db);
  const port = await freePort();
  const config = testConfig(port, { issuer: issuerOf(port) });
  const broker: Broker = await createBroker(config, { db: opened.db, logTo: { write: () => {} } });
  await broker.listen();
  open.push(async () => {
    await broker.close();
    await opened.close();
  });
  return { issuer: config.issuer, at: `http://127.0.0.1:${port}` };
}

/** Signs in and allows; every Set-Cookie line on the way, and the value of the session before and after. */
async function walk({ issuer, at }: { issuer: string; at: string }) {
  const jar = new Map<string, string>();
  const lines: string[] = [];
  const go = async (path: string, body?: URLSearchParams) => {
    const { pathname, search } = new URL(path, issuer);
    const response = await fetch(`${at}${pathname}${search}`, {
      method: body === undefined ? 'GET' : 'POST',
      redirect: 'manual',
      headers: {
        accept: 'text/html',
        cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; '),
        ...(body === undefined ? {} : { origin: issuer }),
      },
      ...(body === undefined ? {} : { body }),
    });
    for (const line of response.headers.getSetCookie()) {
      lines.push(line);
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      jar.set(name, value);
    }
    const html = await response.text();
    const page = {
      url: `${issuer}${pathname}`,
      status: response.status,
      headers: response.headers,
      html,
    };
    return { location: response.headers.get('location') ?? '', forms: formsOf(page) };
  };
  const formTo = (forms: ReturnType<typeof formsOf>, ending: string) => {
    const form = forms.find(({ action }) => action.endsWith(ending));
    if (form === undefined) throw new Error(`no form to ${ending}`);
    return form;
  };
  const url = authorizeUrl({ issuer } as TestBroker, pkce().challenge);
  const { location } = await go(url.slice(issuer.length));
  const before = [...jar].find(([name]) => name.endsWith('behalf_session'))?.[1];
  const signIn = formTo((await go(location)).forms, '/sign-in');
  signIn.fields.set('email', ANA.email);
  signIn.fields.set('password', ANA.password);
  await go(signIn.action, signIn.fields);
  const decide = formTo((await go(location)).forms, '/decision');
  decide.fields.set('decision', 'allow');
  const done = await go((await go(decide.action, decide.fields)).location);
  const after = [...jar].find(([name]) => name.endsWith('behalf_session'))?.[1];
  return { lines, before, after, code: new URL(done.location).searchParams.get('code') };
}

const namesIn = (lines: readonly string[]) =>
  [...new Set(lines.map((line) => line.slice(0, line.indexOf('='))))].sort();

describe('over https', () => {
  it('no other host can set them, no script read them, no other site send them with a form', async () => {
    const { lines, before, after, code } = await walk(
      await startAs(() => 'https://broker.example'),
    );
    expect(code).toMatch(/^[\w-]{43}$/);
    expect(namesIn(lines)).toEqual([
      '__Host-behalf_session',
      '__Host-behalf_session.sig',
      '__Secure-behalf_interaction',
      '__Secure-behalf_interaction.sig',
      '__Secure-behalf_resume',
      '__Secure-behalf_resume.sig',
    ]);
    for (const line of lines) {
      expect(line).toMatch(/; secure(;|$)/i);
      expect(line).toMatch(/; httponly(;|$)/i);
      expect(line).toMatch(/; samesite=lax(;|$)/i);
      expect(line).not.toMatch(/; domain=/i);
      if (line.startsWith('__Host-')) expect(line).toMatch(/; path=\/(;|$)/);
      else expect(line).toMatch(/; path=\/(interaction|authorize)\/[\w-]+(;|$)/);
    }
    // Fixation: what was known before signing in is worth nothing afterwards.
    expect(after).toBeDefined();
    expect(after).not.toBe(before);
  });
});

describe('over http, on this computer only', () => {
  it('they have plain names, which browsers keep without TLS', async () => {
    const { lines, code } = await walk(await startAs((port) => `http://127.0.0.1:${port}`));
    expect(code).toMatch(/^[\w-]{43}$/);
    expect(namesIn(lines)).toEqual([
      'behalf_interaction',
      'behalf_interaction.sig',
      'behalf_resume',
      'behalf_resume.sig',
      'behalf_session',
      'behalf_session.sig',
    ]);
    for (const line of lines) {
      expect(line).not.toMatch(/; secure/i);
      expect(line).toMatch(/; httponly(;|$)/i);
      expect(line).toMatch(/; samesite=lax(;|$)/i);
    }
  });
});
