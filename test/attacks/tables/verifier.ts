// J at the verifier, over HTTP against the broker: what it keeps between requests (keys, and tokens it
// has seen) makes it accept nothing it would not have accepted before.
import { createVerifier, type VerifierOptions } from '../../../src/verifier/index.js';
import { FILES } from '../../support/world.js';
import type { Attack } from '../support/attack.js';
import { decodePart, encodePart, ownKey, resigned, selfSigned } from '../support/forge.js';
import type { AttackWorld } from '../support/world.js';

const ELSEWHERE = 'the resource server decides by itself: the broker is not asked';

/** A resource server on the broker's keys; how often it has read them. */
function resourceServer(w: AttackWorld, more: Partial<VerifierOptions> = {}) {
  const reads: string[] = [];
  const verifier = createVerifier({
    issuer: w.issuer,
    resource: FILES,
    revocation: 'off',
    fetch: async (input, init) => {
      if (String(input).includes('jwks')) reads.push(String(input));
      return fetch(input, init);
    },
    ...more,
  });
  const verify = async (token: string): Promise<string> => {
    try {
      const { kind } = await verifier.verify(token);
      return `accepted as ${kind}`;
    } catch (error) {
      return (error as { reason?: string }).reason ?? `threw ${error}`;
    }
  };
  return { verifier, verify, reads };
}

const flipped = (text: string, at: number): string => {
  const index = at < 0 ? text.length + at : at;
  const other = text[index] === 'A' ? 'B' : 'A';
  return text.slice(0, index) + other + text.slice(index + 1);
};

/** Two tokens that differ in what a careless cache would not look at. */
const ALMOST: ReadonlyArray<
  readonly [
    name: string,
    make: (w: AttackWorld, good: string, other: string) => Promise<string> | string,
  ]
> = [
  [
    'the same claims under another signature',
    (_w, good) => {
      const [header, payload, signature = ''] = good.split('.');
      return `${header}.${payload}.${flipped(signature, 4)}`;
    },
  ],
  [
    'its last character changed',
    (_w, good) => {
      const [header, payload, signature = ''] = good.split('.');
      return `${header}.${payload}.${flipped(signature, -3)}`;
    },
  ],
  [
    'its signature under other claims',
    (_w, good) => {
      const [header, , signature] = good.split('.');
      const claims = { ...decodePart(good, 1), scope: 'files:delete' };
      return `${header}.${encodePart(claims)}.${signature}`;
    },
  ],
  [
    'its signature under another token’s claims',
    (_w, good, other) => {
      const [header, , signature] = good.split('.');
      return `${header}.${other.split('.')[1]}.${signature}`;
    },
  ],
  [
    'its claims under another token’s signature',
    (_w, good, other) => {
      const [header, payload] = good.split('.');
      return `${header}.${payload}.${other.split('.')[2]}`;
    },
  ],
  [
    'its id and the attacker’s key',
    (_w, good) => selfSigned(good, { claims: { scope: 'files:delete' } }),
  ],
  ['its id for another resource', (w, good) => resigned(w, good, { claims: { aud: 'https://a' } })],
  ['its id, and its end an hour ago', (w, good) => resigned(w, good, { claims: past() })],
  ['its header without a type', (w, good) => resigned(w, good, { header: { typ: 'JWT' } })],
  ['a space behind it', (_w, good) => `${good} `],
  ['a fourth part', (_w, good) => `${good}.A`],
];
const past = () => {
  const iat = Math.floor(Date.now() / 1000) - 3900;
  return { iat, exp: iat + 300 };
};

const remembered: readonly Attack[] = ALMOST.map(
  ([name, make]): Attack => ({
    id: 'J14',
    name: `a token was accepted; then comes ${name}: refused, and the good one still good`,
    refs: ['21', '72', '81'],
    unaudited: ELSEWHERE,
    run: async (w) => {
      const { verify, verifier } = resourceServer(w);
      const [good, other] = [await w.ana.tokens(), await w.ben.tokens()];
      // Twice: whatever is kept of it is kept now.
      const before = [await verify(good.access_token), await verify(good.access_token)];
      const almost = await make(w, good.access_token, other.access_token);
      const tried = (await verify(almost)).startsWith('accepted');
      const after = await verify(good.access_token);
      await verifier.close();
      return [...before, tried, after];
    },
    expected: ['accepted as delegated', 'accepted as delegated', false, 'accepted as delegated'],
  }),
);

const FLOOD = 60;

const floods: readonly Attack[] = [
  {
    id: 'J15',
    name: 'tokens with keys nobody knows, by the dozen and at once: one read of the keys, known ones work',
    unaudited: ELSEWHERE,
    run: async (w) => {
      const { verify, verifier, reads } = resourceServer(w);
      const { access_token } = await w.ana.tokens();
      const first = await verify(access_token);
      const key = ownKey();
      const told = await Promise.all(
        Array.from({ length: FLOOD }, (_, n) =>
          verify(selfSigned(access_token, { header: { kid: `unknown-${n}` } }, key)),
        ),
      );
      const good = await verify(access_token);
      await verifier.close();
      return [first, [...new Set(told)], good, reads.length <= 2];
    },
    expected: ['accepted as delegated', ['key_unknown'], 'accepted as delegated', true],
  },
  {
    id: 'J15',
    name: 'a flood before the first good token: it still gets its keys',
    unaudited: ELSEWHERE,
    run: async (w) => {
      const { verify, verifier, reads } = resourceServer(w);
      const { access_token } = await w.ana.tokens();
      const header = { kid: 'unknown' };
      const told = await Promise.all(
        Array.from({ length: FLOOD }, () => verify(selfSigned(access_token, { header }))),
      );
      const good = await verify(access_token);
      await verifier.close();
      return [[...new Set(told)], good, reads.length <= 2];
    },
    expected: [['key_unknown'], 'accepted as delegated', true],
  },
  {
    id: 'J15',
    name: 'the broker is flooded with unknown keys: inactive, and what it signed is known',
    unaudited: 'an answer, not a refusal: inactive, to whoever may not know',
    run: async (w) => {
      const { access_token } = await w.ana.tokens();
      const told = new Set<string>();
      for (let n = 0; n < FLOOD; n += 1) {
        const token = selfSigned(access_token, { header: { kid: `unknown-${n}` } });
        told.add(JSON.stringify((await w.introspect(token)).body));
      }
      return [[...told], (await w.introspect(access_token)).body.active];
    },
    expected: [['{"active":false}'], true],
  },
];

const KINDS = ['actor token', 'ID token', 'refresh token'] as const;
const slots: readonly Attack[] = KINDS.map(
  (kind): Attack => ({
    id: 'J7',
    name: `at a resource server: ${kind} as access token`,
    unaudited: ELSEWHERE,
    run: async (w) => {
      const { verify, verifier } = resourceServer(w);
      const tokens = await w.ana.tokens();
      const token = {
        'actor token': await w.ana.actorToken(),
        'ID token': tokens.id_token ?? '',
        'refresh token': tokens.refresh_token,
      }[kind];
      const tried = (await verify(token)).startsWith('accepted');
      await verifier.close();
      return tried;
    },
    expected: false,
  }),
);

/** What a resource server keeps, and what it is sent. */
export const atVerifier: readonly Attack[] = [...remembered, ...floods, ...slots];
