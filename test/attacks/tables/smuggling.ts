// X7: what a client says about who it is, who acts and what is allowed never reaches a token.
import { pkce } from '../../support/broker.js';
import { AGENT, ANA, FILES, OTHER_AGENT } from '../../support/world.js';
import { type Attack, SERVED } from '../support/attack.js';
import { decodePart } from '../support/forge.js';
import type { Tokens } from '../support/party.js';
import { codeIn } from '../support/party.js';
import type { AttackWorld } from '../support/world.js';

/** Claims of a token without those that differ from one to the next. */
function story(token: string): Record<string, unknown> {
  const { jti: _jti, iat: _iat, exp: _exp, auth_time: _at, ...rest } = decodePart(token, 1);
  return rest;
}

const ACT = JSON.stringify({ sub: OTHER_AGENT, iss: 'https://evil.example' });
const smuggled: ReadonlyArray<readonly [string, string]> = [
  ['act', ACT],
  ['act[sub]', OTHER_AGENT],
  ['act.sub', OTHER_AGENT],
  ['may_act', ACT],
  ['actor', OTHER_AGENT],
  ['sub', 'usr_ben'],
  ['subject', 'usr_ben'],
  ['sub_profile', 'user'],
  ['agent_scope', 'files:delete'],
  ['actor_proof', 'none'],
  ['via', 'cli_stranger'],
  ['aud', 'https://evil.example'],
  ['audience', 'https://evil.example'],
  ['iss', 'https://evil.example'],
  ['exp', '9999999999'],
  ['expires_in', '999999'],
  ['jti', 'x'],
  ['cnf', '{"jkt":"x"}'],
  ['acr', 'urn:gold'],
  ['amr', 'hwk'],
  ['auth_time', '1'],
  ['scp', 'files:delete'],
  ['scopes', 'files:delete'],
  ['permissions', 'files:delete'],
  ['roles', 'admin'],
  ['groups', 'admin'],
  ['azp', 'cli_stranger'],
  ['tenant', 'x'],
  ['client', 'cli_stranger'],
  ['grant_id', 'gnt_x'],
  [
    'claims',
    JSON.stringify({
      access_token: { act: { value: ACT }, sub: { value: 'usr_ben' } },
      id_token: { act: { essential: true } },
    }),
  ],
  ['authorization_details', JSON.stringify([{ type: 'x', act: ACT }])],
  ['purpose', 'x'],
  ['grant_management_action', 'replace'],
];

const delegated: readonly Attack[] = smuggled.map(([name, value]) => ({
  id: 'X7',
  name: `${name} sent to /authorize, /token and with a refresh: the story is the same`,
  refs: ['31'],
  unaudited: SERVED,
  run: (w) =>
    w.honestly(async () => {
      const expected = story((await w.ana.tokens()).access_token);
      const { verifier, challenge } = pkce();
      const answer = await w.ana.browser.get(w.ana.url({ [name]: value }, challenge));
      const code = { code: codeIn(answer), verifier, redirectUri: w.ana.redirectUri };
      const first = (await w.ana.redeem(code, { [name]: value })).body as Tokens;
      const second = (await w.ana.refresh(first.refresh_token, { [name]: value })).body as Tokens;
      const introspected = (await w.introspect(second.access_token)).body;
      return [
        same(story(first.access_token), expected),
        same(story(second.access_token), expected),
        introspected.sub,
        introspected.act.sub,
      ];
    }),
  expected: [true, true, ANA.id, AGENT],
}));

const alone: readonly Attack[] = smuggled.map(([name, value]) => ({
  id: 'X7',
  name: `${name} sent with client_credentials: the agent speaks for itself`,
  refs: ['31'],
  unaudited: SERVED,
  run: (w) =>
    w.honestly(async () => {
      const ask = { grant_type: 'client_credentials', resource: FILES };
      const expected = story((await w.token(AGENT, ask)).body.access_token);
      const { body } = await w.token(AGENT, { ...ask, [name]: value });
      return same(story(body.access_token), expected);
    }),
  expected: true,
}));

const pushedOnes: readonly Attack[] = smuggled.slice(0, 12).map(([name, value]) => ({
  id: 'X7',
  name: `${name} pushed: the story is the same`,
  refs: ['31'],
  unaudited: SERVED,
  run: (w) =>
    w.honestly(async () => {
      const expected = story((await w.ana.tokens()).access_token);
      const { verifier, challenge } = pkce();
      const { body } = await w.post(
        '/par',
        w.ana.query(challenge, { [name]: value }),
        w.ana.client,
      );
      const answer = await w.ana.browser.get(
        `/authorize?${w.encode({ client_id: w.ana.client, request_uri: body.request_uri })}`,
      );
      const tokens = await w.ana.tokens({
        code: codeIn(answer),
        verifier,
        redirectUri: w.ana.redirectUri,
      });
      return same(story(tokens.access_token), expected);
    }),
  expected: true,
}));

const profiles: readonly Attack[] = [
  {
    id: 'X7',
    name: 'a user named like JSON, an agent named like a claim: a name is not a claim',
    refs: ['31'],
    unaudited: SERVED,
    run: async (w: AttackWorld) => {
      const party = await w.cast();
      const name = '","sub":"usr_ben","act":{"sub":"agt_other"},"x":"';
      await w.registry.users.patch('admin', party.user.id, { name });
      await w.registry.agents.patch('admin', party.agent, { name, purpose: name });
      await w.settle();
      // Another name is another agent to the user, who is asked again (D7).
      const { access_token, id_token = '' } = await party.tokens(await party.consent());
      const claims = decodePart(access_token, 1);
      return [
        claims.sub === party.user.id,
        (claims.act as { sub: string }).sub === party.agent,
        decodePart(id_token, 1).sub === party.user.id,
      ];
    },
    expected: [true, true, true],
  },
  {
    id: 'X7',
    name: 'an ID token tells nothing about agents and holds no scope: it is no access token',
    unaudited: SERVED,
    run: async (w: AttackWorld) => {
      const { id_token = '' } = await w.ana.tokens();
      const claims = decodePart(id_token, 1);
      return ['act', 'scope', 'agent_scope', 'client_id'].filter((name) => name in claims);
    },
    expected: [],
  },
];

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, part) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
const same = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b);

export const smuggling: readonly Attack[] = [...delegated, ...alone, ...pushedOnes, ...profiles];
