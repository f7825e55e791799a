// RFC 9449: a bound token is good only with a proof by its key, for this request, once. Threats V9, J1–J8.
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import {
  AuthError,
  createDpopNonces,
  createReplayStore,
  type VerifierOptions,
} from '../../src/verifier/index.js';
import { athOf, type Change, createProver, signParts } from './support/prover.js';
import { createVerifierWorld, refusal } from './support/verifier-world.js';

const URL_OF_RESOURCE = 'https://files.example/mcp';
const metadataUrl = 'https://files.example/.well-known/oauth-protected-resource/mcp';

async function createDpopWorld(options: Partial<VerifierOptions> = {}) {
  const world = await createVerifierWorld(options);
  const prover = await createProver(URL_OF_RESOURCE, () => world.verifier.now());
  const bound = (claims: Change = {}) =>
    world.issuer.delegatedToken({ claims: { cnf: { jkt: prover.jkt }, ...claims } });
  const request = (token: string, proof: string | undefined, more: object = {}) => ({
    method: 'POST',
    url: '/mcp',
    headers: { authorization: `DPoP ${token}`, ...(proof === undefined ? {} : { dpop: proof }) },
    ...more,
  });
  const send = (token: string, proof: string | undefined, more: object = {}) =>
    world.verifier.authenticate(request(token, proof, more));
  return { ...world, prover, bound, request, send };
}

const world = await createDpopWorld();
const { verifier, prover, bound, send } = world;
const now = () => Math.floor(Date.now() / 1000);

describe('RFC 9449 §7.1: a token with its proof', () => {
  it('is accepted, and says which key it is bound to', async () => {
    const token = await bound();
    const context = await send(token, await prover.prove(token));
    expect(context).toMatchObject({ kind: 'delegated', binding: { jkt: prover.jkt } });
    expect(await verifier.authorize(context, 'files:read')).toEqual({ ok: true });
  });

  it('is accepted by verify() with the proof beside it, and refused there without', async () => {
    const token = await bound();
    const dpop = { proof: await prover.prove(token), method: 'POST', url: URL_OF_RESOURCE };
    expect((await verifier.verify(token, { dpop })).binding).toEqual({ jkt: prover.jkt });
    expect((await refusal(verifier.verify(token))).reason).toBe('binding_unproved');
    await expect(verifier.verifyAccessToken(token)).rejects.toMatchObject({
      reason: 'binding_unproved',
    });
  });

  it('takes the scheme in any case, a fetch Request, and several algorithms', async () => {
    for (const [alg, name] of [
      ['ES256', 'dpop'],
      ['EdDSA', 'DPOP'],
      ['Ed25519', 'DPoP'],
      ['PS256', 'DPoP'],
      ['RS256', 'dPoP'],
    ] as const) {
      const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
      const jwk = await exportJWK(publicKey);
      const { calculateJwkThumbprint } = await import('jose');
      const jkt = await calculateJwkThumbprint(jwk);
      const token = await bound({ cnf: { jkt } });
      const proof = await new SignJWT({
        htm: 'POST',
        htu: URL_OF_RESOURCE,
        ath: await athOf(token),
        jti: crypto.randomUUID(),
      })
        .setIssuedAt()
        .setProtectedHeader({ alg, typ: 'dpop+jwt', jwk })
        .sign(privateKey);
      const headers = { authorization: `${name} ${token}`, dpop: proof };
      // Whatever host a proxy speaks to: the path counts, below the configured origin.
      const input = new Request('http://10.0.0.7:8080/mcp?x=1', { method: 'POST', headers });
      expect((await verifier.authenticate(input)).binding).toEqual({ jkt });
    }
  });
});

type Row = readonly [name: string, reason: string, claims: Change, header?: Change];
const REFUSED: readonly Row[] = [
  ['J7 the typ of an access token', 'dpop_typ_refused', {}, { typ: 'at+jwt' }],
  ['J7 the typ JWT', 'dpop_typ_refused', {}, { typ: 'JWT' }],
  ['J7 no typ', 'dpop_typ_refused', {}, { typ: undefined }],
  ['J1 alg none', 'dpop_alg_refused', {}, { alg: 'none' }],
  ['J2 alg HS256', 'dpop_alg_refused', {}, { alg: 'HS256' }],
  ['J3 alg ES384', 'dpop_alg_refused', {}, { alg: 'ES384' }],
  ['J3 alg as a list', 'dpop_alg_refused', {}, { alg: ['ES256'] }],
  ['J3 alg RS256 for an EC key', 'dpop_key_refused', {}, { alg: 'RS256' }],
  ['J5 no key', 'dpop_key_refused', {}, { jwk: undefined }],
  ['J5 a key as a string', 'dpop_key_refused', {}, { jwk: 'key' }],
  ['J2 a symmetric key', 'dpop_key_refused', {}, { jwk: { kty: 'oct', k: 'AAAA' } }],
  [
    'J10 a point off the curve',
    'dpop_key_refused',
    {},
    { jwk: { ...prover.jwk, y: prover.jwk.x } },
  ],
  ['V9 a private key', 'dpop_key_refused', {}, { jwk: { ...prover.jwk, d: 'AAAA' } }],
  ['V9 a null private member', 'dpop_key_refused', {}, { jwk: { ...prover.jwk, d: null } }],
  ['J5 jku', 'dpop_proof_malformed', {}, { jku: 'https://evil.example' }],
  ['J5 x5c', 'dpop_proof_malformed', {}, { x5c: ['MIIB'] }],
  ['J6 an unknown crit', 'dpop_proof_malformed', {}, { crit: ['x'], x: 1 }],
  ['J6 b64 false', 'dpop_proof_malformed', {}, { b64: false }],
  ['J9 zip', 'dpop_proof_malformed', {}, { zip: 'DEF' }],
  ['V9 another method', 'dpop_method_mismatch', { htm: 'GET' }],
  ['V9 the method in lower case', 'dpop_method_mismatch', { htm: 'post' }],
  ['V9 no method', 'dpop_method_mismatch', { htm: undefined }],
  ['V9 another path', 'dpop_url_mismatch', { htu: 'https://files.example/other' }],
  ['V9 a longer path', 'dpop_url_mismatch', { htu: `${URL_OF_RESOURCE}/` }],
  ['V9 a path in another case', 'dpop_url_mismatch', { htu: 'https://files.example/MCP' }],
  ['V9 another host', 'dpop_url_mismatch', { htu: 'https://evil.example/mcp' }],
  ['V9 another port', 'dpop_url_mismatch', { htu: 'https://files.example:8443/mcp' }],
  ['V9 http for https', 'dpop_url_mismatch', { htu: 'http://files.example/mcp' }],
  ['V9 a user in the URL', 'dpop_url_mismatch', { htu: 'https://a@files.example/mcp' }],
  ['V9 a backslash for a slash', 'dpop_url_mismatch', { htu: 'https://files.example\\mcp' }],
  ['V9 a tab in the URL', 'dpop_url_mismatch', { htu: 'https://files.example/m\tcp' }],
  ['V9 an escaped slash', 'dpop_url_mismatch', { htu: 'https://files.example%2Fmcp' }],
  ['V9 a relative URL', 'dpop_url_mismatch', { htu: '/mcp' }],
  ['V9 a URL as a list', 'dpop_url_mismatch', { htu: [URL_OF_RESOURCE] }],
  ['V9 no URL', 'dpop_url_mismatch', { htu: undefined }],
  ['V9 the hash of another token', 'dpop_token_mismatch', { ath: 'A'.repeat(43) }],
  ['V9 no hash', 'dpop_token_mismatch', { ath: undefined }],
  ['V9 no jti', 'dpop_proof_malformed', { jti: undefined }],
  ['V9 an empty jti', 'dpop_proof_malformed', { jti: '' }],
  ['V9 a jti of 1 kB', 'dpop_proof_malformed', { jti: 'x'.repeat(1024) }],
  ['V9 a jti as a list', 'dpop_proof_malformed', { jti: ['x'] }],
  ['V9 two minutes old', 'dpop_time_refused', { iat: now() - 120 }],
  ['V9 two minutes ahead', 'dpop_time_refused', { iat: now() + 120 }],
  ['J11 iat as a string', 'dpop_time_refused', { iat: String(now()) }],
  ['J11 no iat', 'dpop_time_refused', { iat: undefined }],
  ['J11 an expired proof', 'dpop_time_refused', { exp: now() - 20 }],
  ['J11 exp as a string', 'dpop_time_refused', { exp: '1' }],
  ['J11 nbf ahead', 'dpop_time_refused', { nbf: now() + 120 }],
];

describe('RFC 9449 §4.3, V9: a proof with one thing wrong', () => {
  it.for(REFUSED)('%s', async ([_name, reason, claims, header]) => {
    const token = await bound();
    const error = await refusal(send(token, await prover.prove(token, claims, header)));
    expect(error).toMatchObject({
      code: 'invalid_dpop_proof',
      reason,
      status: 401,
      scheme: 'DPoP',
    });
    expect(JSON.stringify(error) + String(error)).not.toContain(token.slice(-40));
  });

  it('a proof signed by another key than it shows', async () => {
    const token = await bound();
    const other = await createProver(URL_OF_RESOURCE);
    const proof = await other.prove(token, {}, { jwk: prover.jwk });
    expect((await refusal(send(token, proof))).reason).toBe('dpop_signature_invalid');
  });

  it('a good proof by another key than the token is bound to (§7.1: invalid_token)', async () => {
    const token = await bound();
    const other = await createProver(URL_OF_RESOURCE);
    const error = await refusal(send(token, await other.prove(token)));
    expect(error).toMatchObject({ code: 'invalid_token', reason: 'dpop_key_mismatch' });
  });

  it.each<[string, (good: string) => string]>([
    ['nothing', () => ''],
    ['two segments', (good) => good.split('.').slice(0, 2).join('.')],
    ['padding', (good) => `${good}==`],
    ['two proofs in one header', (good) => `${good}, ${good}`],
    ['a trailing space', (good) => `${good} `],
    ['9 kB', (good) => good + 'A'.repeat(9000)],
  ])('J8 written with %s', async (_name, change) => {
    const token = await bound();
    const error = await refusal(send(token, change(await prover.prove(token))));
    expect(error).toMatchObject({ code: 'invalid_dpop_proof', reason: 'dpop_proof_malformed' });
  });

  it('J8 a claim twice', async () => {
    const token = await bound();
    const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: prover.jwk };
    const claims = `{"htm":"GET","htm":"POST","htu":"${URL_OF_RESOURCE}","jti":"x","iat":${now()}}`;
    const proof = await signParts(header, claims, prover.privateKey);
    expect((await refusal(send(token, proof))).reason).toBe('dpop_proof_malformed');
  });

  it('two headers, or none (§4.3, 1)', async () => {
    const token = await bound();
    const proof = await prover.prove(token);
    const authorization = `DPoP ${token}`;
    for (const input of [
      { headers: { authorization } },
      { headers: { authorization, dpop: [proof, proof] } },
      { headers: { authorization, dpop: proof, DPoP: proof } },
      { headers: { authorization, dpop: proof }, rawHeaders: ['DPoP', proof, 'dpop', proof] },
    ]) {
      const error = await refusal(verifier.authenticate({ method: 'POST', url: '/mcp', ...input }));
      expect(error).toMatchObject({ code: 'invalid_dpop_proof', reason: 'dpop_proof_missing' });
    }
  });
});

describe('RFC 9449 §7.2: no way down from DPoP to Bearer', () => {
  it('refuses a bound token as Bearer, even with a good proof beside it', async () => {
    const token = await bound();
    const headers = { authorization: `Bearer ${token}`, dpop: await prover.prove(token) };
    const error = await refusal(verifier.authenticate({ method: 'POST', url: '/mcp', headers }));
    expect(error).toMatchObject({ code: 'invalid_token', reason: 'binding_unproved', status: 401 });
  });

  it('refuses an unbound token as DPoP, and takes it as Bearer', async () => {
    const token = await world.issuer.delegatedToken();
    const error = await refusal(send(token, await prover.prove(token)));
    expect(error).toMatchObject({ code: 'invalid_token', reason: 'binding_missing' });
    const context = await verifier.authenticate({ headers: { authorization: `Bearer ${token}` } });
    expect(context.binding).toBeUndefined();
  });

  it('where DPoP is required, refuses every bearer token and says so', async () => {
    const strict = await createDpopWorld({ dpop: { required: true, algorithms: ['ES256'] } });
    const token = await strict.issuer.delegatedToken();
    const headers = { authorization: `Bearer ${token}` };
    const error = await refusal(strict.verifier.authenticate({ headers }));
    expect(error.reason).toBe('binding_missing');
    expect(strict.verifier.challenge(error).headers['www-authenticate']).toBe(
      'DPoP error="invalid_token", ' +
        'error_description="The access token is not bound to the key of a DPoP proof.", ' +
        `algs="ES256", resource_metadata="${metadataUrl}"`,
    );
    const bare = strict.verifier.challenge(new AuthError('header_missing'));
    expect(bare.headers['www-authenticate']).toBe(
      `DPoP algs="ES256", resource_metadata="${metadataUrl}"`,
    );
    expect(strict.verifier.protectedResourceMetadata()).toEqual({
      resource: URL_OF_RESOURCE,
      authorization_servers: [strict.issuer.issuer],
      bearer_methods_supported: ['header'],
      dpop_signing_alg_values_supported: ['ES256'],
      dpop_bound_access_tokens_required: true,
    });
    const good = await strict.bound();
    expect((await strict.send(good, await strict.prover.prove(good))).kind).toBe('delegated');
  });
});

describe('RFC 9449 §7.1: a caller who came with DPoP is answered in kind', () => {
  it('at 401, for the proof and for the token', async () => {
    const token = await bound();
    const algs = 'algs="ES256 EdDSA Ed25519 PS256 RS256"';
    const proof = await prover.prove(token, { htm: 'GET' });
    expect(verifier.challenge(await refusal(send(token, proof)))).toEqual({
      status: 401,
      headers: {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'www-authenticate':
          'DPoP error="invalid_dpop_proof", ' +
          'error_description="The DPoP proof is for another method.", ' +
          `${algs}, resource_metadata="${metadataUrl}"`,
      },
      body: {
        error: 'invalid_dpop_proof',
        error_description: 'The DPoP proof is for another method.',
      },
    });
    const old = await bound({ iat: now() - 600, exp: now() - 300 });
    const error = await refusal(send(old, await prover.prove(old)));
    expect(verifier.challenge(error).headers['www-authenticate']).toMatch(
      /^DPoP error="invalid_token", error_description="The access token has expired\."/,
    );
  });

  it('at 403, for what it may do', async () => {
    const token = await world.issuer.delegatedToken({
      agentScope: 'files:read files:write',
      claims: { cnf: { jkt: prover.jkt } },
    });
    const context = await send(token, await prover.prove(token));
    const decision = await verifier.authorize(context, 'files:write');
    if (decision.ok) throw new Error('a refusal was expected');
    expect(verifier.challenge(decision.error).headers['www-authenticate']).toMatch(
      /^DPoP error="insufficient_scope", .*scope="files:read files:write"/,
    );
  });
});

describe('RFC 9449 §4.3, 9: the URL is the one the client sees', () => {
  const outcome = async (options: Partial<VerifierOptions>, htu: string, input: object) => {
    const own = await createDpopWorld(options);
    const token = await own.bound();
    return own.send(token, await own.prover.prove(token, { htu }), input).then(
      () => 'accepted',
      (error: AuthError) => error.reason,
    );
  };

  it.each<[string, string, object]>([
    ['query and fragment do not count', 'https://files.example/mcp?a=1#b', {}],
    ['nor does the query of the request', URL_OF_RESOURCE, { url: '/mcp?session=7' }],
    ['a default port is none', 'https://files.example:443/mcp', {}],
    ['hosts ignore case', 'https://FILES.example/mcp', {}],
    ['escapes are normalised', 'https://files.example/%6dcp', {}],
    ['dot segments are resolved', 'https://files.example/x/../mcp', {}],
    ['a mount point is not lost', URL_OF_RESOURCE, { url: '/', originalUrl: '/mcp' }],
    ['two slashes are a path, not a host', 'https://files.example//evil', { url: '//evil' }],
  ])('%s', async (_name, htu, input) => {
    expect(await outcome({}, htu, input)).toBe('accepted');
  });

  it('believes no forwarded header and no Host (V3)', async () => {
    const own = await createDpopWorld();
    const token = await own.bound();
    const proof = await own.prover.prove(token, { htu: 'https://evil.example/mcp' });
    const headers = {
      authorization: `DPoP ${token}`,
      dpop: proof,
      host: 'evil.example',
      forwarded: 'host=evil.example;proto=https',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'https',
      'x-original-url': 'https://evil.example/mcp',
    };
    const work = own.verifier.authenticate({ method: 'POST', url: '/mcp', headers });
    expect((await refusal(work)).reason).toBe('dpop_url_mismatch');
  });

  it('puts back a path that a proxy takes off, where configured', async () => {
    const dpop = { publicUrl: 'https://api.example/files/' };
    expect(await outcome({ dpop }, 'https://api.example/files/mcp', {})).toBe('accepted');
    expect(await outcome({ dpop }, URL_OF_RESOURCE, {})).toBe('dpop_url_mismatch');
  });

  it('asks a function of the server, which may know better', async () => {
    const dpop = { publicUrl: () => 'https://tenant-7.example/mcp' };
    expect(await outcome({ dpop }, 'https://tenant-7.example/mcp', {})).toBe('accepted');
    expect(await outcome({ dpop }, URL_OF_RESOURCE, {})).toBe('dpop_url_mismatch');
  });
});

describe('RFC 9449 §11.1: a proof is good once', () => {
  it('for one of twenty that come at the same time', async () => {
    const token = await bound();
    const proof = await prover.prove(token);
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () =>
        send(token, proof).then(
          () => 'accepted',
          (error: AuthError) => error.reason,
        ),
      ),
    );
    expect(outcomes.filter((one) => one === 'accepted')).toHaveLength(1);
    expect(outcomes.filter((one) => one === 'dpop_replayed')).toHaveLength(19);
  });

  it('as long as it would be accepted, to the second, and the store then forgets it', async () => {
    let nowMs = 1_700_000_000_000;
    const remembered: number[] = [];
    const store = createReplayStore({ max: 2, now: () => nowMs });
    const replay = {
      remember: (key: string, untilMs: number) => {
        remembered.push(untilMs - nowMs);
        return store.remember(key, untilMs);
      },
    };
    const own = await createDpopWorld({ now: () => nowMs, dpop: { replay } });
    const token = await own.issuer.delegatedToken({
      claims: { cnf: { jkt: own.prover.jkt }, iat: nowMs / 1000, exp: nowMs / 1000 + 300 },
    });
    const fixed = { iat: nowMs / 1000 };
    const prove = (jti: string) => own.prover.prove(token, { ...fixed, jti });
    await own.send(token, await prove('one'));
    nowMs += 64_999;
    expect((await refusal(own.send(token, await prove('one')))).reason).toBe('dpop_replayed');
    nowMs += 1;
    expect((await refusal(own.send(token, await prove('one')))).reason).toBe('dpop_time_refused');
    expect(remembered).toEqual([65_000, 1]);
    fixed.iat = nowMs / 1000;
    await own.send(token, await prove('two'));
    await own.send(token, await prove('three'));
  });

  it('not spent by somebody who has not the key', async () => {
    const token = await bound();
    const good = await prover.prove(token, { jti: 'shared-jti' });
    const other = await createProver(URL_OF_RESOURCE);
    const theirs = await other.prove(token, { jti: 'shared-jti' });
    expect((await refusal(send(token, theirs))).reason).toBe('dpop_key_mismatch');
    expect((await send(token, good)).kind).toBe('delegated');
  });

  it('503, never a yes, when the store is full or fails (V6)', async () => {
    const full = createReplayStore({ max: 1 });
    const broken = { remember: () => Promise.reject(new Error('connection lost')) };
    const vague = { remember: () => undefined as unknown as boolean };
    for (const [replay, reason] of [
      [full, 'replay_unavailable'],
      [broken, 'replay_unavailable'],
      [vague, 'dpop_replayed'],
    ] as const) {
      const own = await createDpopWorld({ dpop: { replay } });
      const token = await own.bound();
      const first = own.send(token, await own.prover.prove(token));
      if (replay === full) await first;
      else expect((await refusal(first)).reason).toBe(reason);
      const second = await refusal(own.send(token, await own.prover.prove(token)));
      expect(second.reason).toBe(reason);
    }
  });
});

describe('RFC 9449 §9: nonces', () => {
  it('asks for one, then takes it, whatever the client’s clock says', async () => {
    const own = await createDpopWorld({ dpop: { nonces: createDpopNonces() } });
    const token = await own.bound();
    const error = await refusal(own.send(token, await own.prover.prove(token)));
    expect(error).toMatchObject({ code: 'use_dpop_nonce', reason: 'dpop_nonce_missing' });
    const { status, headers, body } = own.verifier.challenge(error);
    const nonce = headers['dpop-nonce'];
    expect({ status, headers, body }).toEqual({
      status: 401,
      headers: {
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'dpop-nonce': expect.stringMatching(/^[\w-]{22}$/),
        'www-authenticate': expect.stringMatching(/^DPoP error="use_dpop_nonce", /),
      },
      body: {
        error: 'use_dpop_nonce',
        error_description: 'The DPoP proof needs the nonce of this answer.',
      },
    });
    const proof = await own.prover.prove(token, { nonce, iat: now() - 86_400 });
    expect((await own.send(token, proof)).kind).toBe('delegated');
    expect((await refusal(own.send(token, proof))).reason).toBe('dpop_replayed');
  });

  it('accepts the nonce before, no older one, none from elsewhere, and no other type', async () => {
    let nowMs = Date.now();
    const clock = () => nowMs;
    const nonces = createDpopNonces({ lifetimeSeconds: 60, now: clock });
    const own = await createDpopWorld({ now: clock, dpop: { nonces } });
    const token = await own.issuer.delegatedToken({ claims: { cnf: { jkt: own.prover.jkt } } });
    const with_ = async (nonce: unknown) =>
      own.send(token, await own.prover.prove(token, { nonce })).then(
        () => 'accepted',
        (error: AuthError) => error.reason,
      );
    const nonce = await nonces.issue();
    nowMs += 60_000;
    expect(await with_(nonce)).toBe('accepted');
    expect(await with_([nonce])).toBe('dpop_nonce_refused');
    expect(await with_(await createDpopNonces({ now: clock }).issue())).toBe('dpop_nonce_refused');
    expect(await with_('')).toBe('dpop_nonce_refused');
    nowMs += 60_000;
    expect(await with_(nonce)).toBe('dpop_nonce_refused');
  });

  it('is shared by processes that share the secret', async () => {
    const secret = 's'.repeat(32);
    const [first, second] = [createDpopNonces({ secret }), createDpopNonces({ secret })];
    expect(await second.accepts(await first.issue())).toBe(true);
    expect(() => createDpopNonces({ secret: 'short' })).toThrow(TypeError);
    expect(() => createDpopNonces({ lifetimeSeconds: 1 })).toThrow(TypeError);
  });
});

describe('V5: options of DPoP that would not be safe', () => {
  it.each<[string, VerifierOptions['dpop']]>([
    ['no algorithm', { algorithms: [] }],
    ['a symmetric algorithm', { algorithms: ['HS256' as never] }],
    ['none', { algorithms: ['none' as never] }],
    ['an hour', { maxAgeSeconds: 3600 }],
    ['NaN', { maxAgeSeconds: Number.NaN }],
    ['a plain http URL', { publicUrl: 'http://files.example' }],
    ['a URL with a query', { publicUrl: 'https://files.example/?a=1' }],
    ['required as text', { required: 'yes' as never }],
  ])('refuses %s', async (_name, dpop) => {
    await expect(createVerifierWorld({ dpop })).rejects.toThrow(TypeError);
  });
});
