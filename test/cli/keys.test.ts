// `behalf keys` as people run it, on PostgreSQL, beside no running broker.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSecrets } from '../../src/broker/keys/secrets.js';
import { createKeyService } from '../../src/broker/keys/service.js';
import { ROOT_SECRET } from '../support/broker.js';
import { type OpenedDatabase, openTestPostgres } from '../support/databases.js';
import { activeKey, nextKey } from '../support/keys.js';
import { ROOT, scratchFolder } from '../support/repository.js';

const NEW_SECRET = 'another-root-for-tests-0123456789abcdef';
let opened: OpenedDatabase;
beforeAll(async () => {
  opened = await openTestPostgres();
  await createKeyService({
    db: opened.db,
    secrets: async () => createSecrets(ROOT_SECRET),
    rules: { rotationDays: 0, leadSeconds: 0 },
  }).upkeep();
});
afterAll(() => opened.close());

function behalf(args: readonly string[], more: Record<string, string> = {}) {
  const program = [
    '--import',
    join(ROOT, 'node_modules/tsx/dist/loader.mjs'),
    join(ROOT, 'src/broker/main.ts'),
  ];
  const child = spawn(process.execPath, [...program, '--json', 'keys', ...args], {
    cwd: scratchFolder('cli-keys'),
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: opened.url,
      BEHALF_SECRET: ROOT_SECRET,
      ...more,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  return new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, out, err })),
  );
}

describe('DESIGN §12: behalf keys', () => {
  it('lists, rotates when the next key is old enough, retires a compromised one, and seals anew', {
    timeout: 60_000,
  }, async () => {
    const listed = JSON.parse((await behalf(['list'])).out).items;
    expect(listed).toHaveLength(2);
    expect(await behalf(['rotate', '--alg', 'ES256'])).toEqual({
      code: 1,
      out: '',
      err: expect.stringMatching(
        /^behalf: .*the next ES256 key has not been published for long enough/s,
      ),
    });
    await opened.db.run(`update signing_keys set created_at = created_at - interval '1 hour'`);
    const rotated = JSON.parse((await behalf(['rotate'])).out).items;
    expect(activeKey(rotated).kid).toBe(nextKey(listed).kid);
    const { kid } = activeKey(rotated);
    expect((await behalf(['retire', kid, '--reason', 'stolen'])).err).toContain(
      'compromised: must be true',
    );
    const retired = await behalf(['retire', kid, '--compromised', '--reason', 'stolen']);
    expect(JSON.parse(retired.out)).toMatchObject({
      kid,
      state: 'retired',
      retired_reason: 'stolen',
    });
    const facts = await opened.db.run('select key, always, reason, by from revocations');
    expect(facts).toEqual([{ key: `kid:${kid}`, always: true, reason: 'stolen', by: 'cli' }]);
    const change = { BEHALF_SECRET: NEW_SECRET, BEHALF_SECRET_PREVIOUS: ROOT_SECRET };
    // The next and the active key, and the one that is retiring: what is retired holds no secret.
    expect(JSON.parse((await behalf(['reseal'], change)).out)).toEqual({ resealed: 3 });
    const told = `select by from audit_events where type = 'key.resealed'`;
    expect(await opened.db.run(told)).toEqual(Array(3).fill({ by: 'cli' }));
    expect((await behalf(['reseal'])).err).toBe(
      'behalf: the signing keys in the database were sealed under another BEHALF_SECRET: start with that one, or name it in BEHALF_SECRET_PREVIOUS\n',
    );
  });
});
