import { describe, expect, it } from 'vitest';
import { createWorkQueue, hashPassword, verifyPassword } from '../../src/broker/users/password.js';

describe('a password (M5)', () => {
  it('is hashed with argon2id, 19 MiB, two passes, one lane, and a salt of its own', async () => {
    const [one, two] = await Promise.all([hashPassword('secret'), hashPassword('secret')]);
    expect(one).toMatch(
      /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/,
    );
    expect(one).not.toBe(two);
    expect(await verifyPassword(one, 'secret')).toBe(true);
    expect(await verifyPassword(one, 'Secret')).toBe(false);
  });

  it('is the same from keyboards that spell it differently', async () => {
    const hash = await hashPassword('Stra\u00DFe Caf\u00E9');
    expect(await verifyPassword(hash, 'Stra\u00DFe Cafe\u0301')).toBe(true);
  });

  it('has 1 to 1024 bytes', async () => {
    const longest = 'é'.repeat(512);
    expect(await verifyPassword(await hashPassword(longest), longest)).toBe(true);
    for (const password of ['', 'x'.repeat(1025), 'é'.repeat(513)]) {
      await expect(hashPassword(password)).rejects.toThrow(RangeError);
    }
    // Not cut off: what was too long to set is too long to sign in with.
    const hash = await hashPassword('x'.repeat(1024));
    expect(await verifyPassword(hash, 'x'.repeat(1025))).toBe(false);
    expect(await verifyPassword(hash, 'x'.repeat(1_000_000))).toBe(false);
    expect(await verifyPassword(hash, '')).toBe(false);
  });
});

describe('the queue of hashes', () => {
  const gate = () => {
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    return { open, opened };
  };

  it('runs few at once, in order', async () => {
    const queue = createWorkQueue(2);
    const gates = [gate(), gate(), gate()];
    const started: number[] = [];
    const results = gates.map(({ opened }, n) =>
      queue.run(async () => {
        started.push(n);
        await opened;
        return n;
      }),
    );
    expect(started).toEqual([0, 1]);
    gates[1]?.open();
    await results[1];
    expect(started).toEqual([0, 1, 2]);
    for (const { open } of gates) open();
    expect(await Promise.all(results)).toEqual([0, 1, 2]);
    expect(started).toEqual([0, 1, 2]);
  });

  it('goes on after a piece of work that failed', async () => {
    const queue = createWorkQueue(1);
    const failing = queue.run(() => Promise.reject(new Error('no')));
    const next = queue.run(async () => 'yes');
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });
});
