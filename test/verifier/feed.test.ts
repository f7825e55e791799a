import { afterEach, describe, expect, it } from 'vitest';
import type { TestIssuerOptions } from '../../src/testing/index.js';
import type { VerifierOptions } from '../../src/verifier/index.js';
import { eventually } from '../support/eventually.js';
import { createVerifierWorld, refusal, type VerifierWorld } from './support/verifier-world.js';

const open: VerifierWorld[] = [];
afterEach(async () => {
  for (const world of open.splice(0)) await world.verifier.close();
});

async function createWorld(options: Partial<VerifierOptions> = {}, given: TestIssuerOptions = {}) {
  const world = await createVerifierWorld({ revocation: 'feed', ...options }, given);
  open.push(world);
  return world;
}

const claims = { jti: 'cns_A.gnt_B.t1.t2' };

describe('V8, DESIGN §6: a revocation reaches the verifier within 2 s', () => {
  it.each([
    ['the consent', 'cns_A'],
    ['the grant', 'cns_A.gnt_B'],
    ['the token it was exchanged from', 'cns_A.gnt_B.t1'],
    ['the token itself', 'cns_A.gnt_B.t1.t2'],
    ['the user', 'usr_alice'],
    ['the client', 'cli_host'],
    ['a client earlier in the lineage', 'cli_earlier'],
    ['the agent', 'agt_scout'],
    ['an earlier agent of the chain', 'agt_planner'],
    ['the signing key', 'kid:key-1'],
  ])('refuses a token after %s was stopped', async (_name, key) => {
    const { issuer, verifier } = await createWorld();
    const token = await issuer.delegatedToken({
      chain: ['agt_planner'],
      claims: { ...claims, via: ['cli_earlier'] },
    });
    await verifier.verify(token);
    await issuer.revoke(key);
    await eventually(async () => {
      expect((await refusal(verifier.verify(token))).reason).toBe('revoked');
    });
  });

  it.each([
    'cns_A.gnt_B.t1.t3',
    'cns_A.gnt_B.t',
    'cns_',
    'gnt_B',
    't2',
    'usr_alic',
    'key-1',
  ])('goes on when something else was stopped: %s', async (key) => {
    const { issuer, verifier } = await createWorld();
    const token = await issuer.delegatedToken({ claims });
    await verifier.verify(token);
    await issuer.revoke(key, { always: true });
    await issuer.revoke('cns_Z');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await verifier.verify(token)).kind).toBe('delegated');
  });

  it('accepts a token younger than a fact that is not for ever, and refuses one of its second', async () => {
    const { issuer, verifier } = await createWorld();
    await issuer.revoke('agt_scout', { atMs: Date.now() - 10_000 });
    expect((await verifier.verify(await issuer.agentToken())).kind).toBe('agent');
    const iat = Math.floor(Date.now() / 1000);
    await issuer.revoke('agt_scout', { atMs: iat * 1000 });
    const token = await issuer.agentToken({ claims: { iat } });
    await eventually(async () => {
      expect((await refusal(verifier.verify(token))).reason).toBe('revoked');
    });
  });

  it('knows what was stopped before it started, by the snapshot', async () => {
    const { issuer, verifier } = await createWorld();
    await issuer.revoke('cns_A');
    await verifier.ready();
    const token = await issuer.delegatedToken({ claims });
    expect((await refusal(verifier.verify(token))).reason).toBe('revoked');
  });

  it('resumes a cut stream and misses nothing', async () => {
    const { issuer, verifier } = await createWorld();
    await verifier.ready();
    issuer.dropStreams();
    await issuer.revoke('cns_A');
    const token = await issuer.delegatedToken({ claims });
    await eventually(async () => {
      expect((await refusal(verifier.verify(token))).reason).toBe('revoked');
    });
    expect(issuer.requests.filter((request) => request === 'GET /revocations')).toHaveLength(1);
  });

  it('forgets a fact when its time is over', async () => {
    const { issuer, verifier, advance } = await createWorld();
    await issuer.revoke('agt_scout', { always: true });
    await verifier.ready();
    expect((await refusal(verifier.verify(await issuer.agentToken()))).reason).toBe('revoked');
    advance(3_601);
    await eventually(async () => {
      expect((await verifier.verify(await issuer.agentToken())).kind).toBe('agent');
    });
  });
});

describe('VF12: a feed that is not heard', () => {
  const stale = { staleLimitSeconds: 15 } as const;

  it('refuses by 503 after the limit, and goes on when it is heard again', async () => {
    const { issuer, verifier, advance } = await createWorld(stale);
    await verifier.verify(await issuer.token());
    issuer.silenceFeed(true);
    advance(14);
    await verifier.verify(await issuer.token());
    advance(2);
    const error = await refusal(verifier.verify(await issuer.token()));
    expect(error).toMatchObject({ code: 'temporarily_unavailable', reason: 'feed_stale' });
    expect(verifier.challenge(error).headers['retry-after']).toBe('2');
    issuer.silenceFeed(false);
    await eventually(async () => verifier.verify(await issuer.token()));
  });

  it('goes on when told to, and still refuses what it knows', async () => {
    const { issuer, verifier, advance } = await createWorld({ ...stale, onStale: 'continue' });
    await issuer.revoke('cns_A');
    await verifier.ready();
    issuer.silenceFeed(true);
    advance(60);
    await verifier.verify(await issuer.token());
    const token = await issuer.delegatedToken({ claims });
    expect((await refusal(verifier.verify(token))).reason).toBe('revoked');
  });

  it('goes by snapshots while the issuer has no room for another stream', async () => {
    const world = await createVerifierWorld();
    const fetch: typeof globalThis.fetch = async (input, init) =>
      String(input).includes('/stream')
        ? new Response('event: full\ndata: {}\n\n')
        : world.issuer.fetch(input, init);
    const { verifier } = await createWorld({ fetch, jwks: world.issuer.jwks() });
    const token = await world.issuer.delegatedToken({ claims });
    await verifier.verify(token);
    await world.issuer.revoke('cns_A');
    await eventually(async () =>
      expect((await refusal(verifier.verify(token))).reason).toBe('revoked'),
    );
  });

  it('tells a forged token from a lost feed: signature comes first', async () => {
    const { issuer, verifier, advance } = await createWorld(stale);
    await verifier.verify(await issuer.token());
    issuer.silenceFeed(true);
    advance(60);
    const error = await refusal(verifier.verify(`${await issuer.token()}AAAA`));
    expect(error).toMatchObject({ status: 401, reason: 'signature_invalid' });
  });

  it.each([
    ['of another issuer', { issuer: 'https://evil.example', cursor: 0, facts: [] }],
    ['without a cursor', { issuer: 'https://broker.example', facts: [] }],
    [
      'with a fact it cannot read',
      { issuer: 'https://broker.example', cursor: 1, facts: [{ id: 1, key: 'short' }] },
    ],
  ])('believes no snapshot %s', async (_name, snapshot) => {
    const world = await createVerifierWorld();
    const fetch: typeof globalThis.fetch = async (input, init) =>
      String(input).endsWith('/revocations')
        ? Response.json(snapshot)
        : world.issuer.fetch(input, init);
    const { verifier, events } = await createWorld({ fetch, jwks: world.issuer.jwks() });
    const verdict = refusal(verifier.verify(await world.issuer.token()));
    await eventually(() =>
      expect(events).toContainEqual(expect.objectContaining({ type: 'feed_error' })),
    );
    await verifier.close();
    expect((await verdict).reason).toBe('feed_stale');
  });
});

describe('a context that is held longer than its call (V8)', () => {
  it('decides nothing in favour any more once its token is revoked, and does until then', async () => {
    const { issuer, verifier } = await createWorld();
    const context = await verifier.verify(
      await issuer.delegatedToken({ claims, scope: 'files:read', agentScope: 'files:read' }),
    );
    expect(await verifier.authorize(context, 'files:read')).toEqual({ ok: true });
    await issuer.revoke('cns_A.gnt_B');
    await eventually(async () => {
      const decision = await verifier.authorize(context, 'files:read');
      expect(decision).toMatchObject({ ok: false, error: { reason: 'revoked', status: 401 } });
    });
  });
});

describe('AuthContext.signal', () => {
  it('aborts when the token is revoked', async () => {
    const { issuer, verifier } = await createWorld();
    const { signal } = await verifier.verify(await issuer.delegatedToken({ claims }));
    expect(signal.aborted).toBe(false);
    await issuer.revoke('cns_A.gnt_B');
    await eventually(() => expect(signal.aborted).toBe(true));
  });

  it('aborts when the token expires', async () => {
    const { issuer, verifier } = await createWorld();
    const exp = Math.floor(Date.now() / 1000) + 1;
    const context = await verifier.verify(await issuer.token({ exp }));
    await eventually(() => expect(context.signal.aborted).toBe(true));
  });

  it('aborts with the verifier, which then answers 503 and leaves no connection', async () => {
    const { issuer, verifier } = await createWorld();
    const { signal } = await verifier.verify(await issuer.token());
    await verifier.close();
    expect(signal.aborted).toBe(true);
    expect((await refusal(verifier.verify(await issuer.token()))).reason).toBe('verifier_closed');
    const before = issuer.requests.length;
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(issuer.requests.length).toBe(before);
  });
});
