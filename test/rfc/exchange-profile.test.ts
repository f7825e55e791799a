import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  actorToken,
  authorize,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { letTakeWork } from '../support/takes-work.js';
import { AGENT, DESKTOP, HOST, NOTES, OTHER_AGENT } from '../support/world.js';

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const TYPE = (name: string) => `urn:ietf:params:oauth:token-type:${name}`;
const TYPES = [TYPE('access_token'), TYPE('jwt')];

type Fields = Record<string, string>;
interface Try {
  readonly what: string;
  readonly as: string;
  readonly fields: (t: TestBroker, subject: string) => Promise<Fields> | Fields;
  readonly rfc8693: string;
  readonly profile: string;
}

const TRIES: readonly Try[] = [
  {
    what: 'a subject that is not one',
    as: AGENT,
    fields: () => ({ subject_token: 'a.b.c' }),
    rfc8693: 'invalid_request',
    profile: 'invalid_grant',
  },
  {
    what: 'an actor token as subject',
    as: AGENT,
    fields: async (t) => ({ subject_token: await actorToken(t) }),
    rfc8693: 'invalid_request',
    profile: 'invalid_grant',
  },
  {
    what: 'an actor token that proves nobody',
    as: AGENT,
    fields: (_t, subject) => ({
      subject_token: subject,
      actor_token: 'a.b.c',
      actor_token_type: TYPE('access_token'),
    }),
    rfc8693: 'invalid_request',
    profile: 'invalid_grant',
  },
  {
    what: 'an actor that has no edge',
    as: OTHER_AGENT,
    fields: (_t, subject) => ({ subject_token: subject }),
    rfc8693: 'invalid_request',
    profile: 'actor_unauthorized',
  },
  {
    what: 'nobody who acts',
    as: HOST,
    fields: (_t, subject) => ({ subject_token: subject }),
    rfc8693: 'invalid_request',
    profile: 'actor_unauthorized',
  },
  {
    what: 'a helper that does not exist',
    as: AGENT,
    fields: (_t, subject) => ({ subject_token: subject, requested_actor: 'agt_nobody' }),
    rfc8693: 'invalid_request',
    profile: 'actor_unauthorized',
  },
  {
    what: 'another resource',
    as: AGENT,
    fields: (_t, subject) => ({ subject_token: subject, resource: NOTES }),
    rfc8693: 'invalid_target',
    profile: 'invalid_target',
  },
  {
    what: 'more than there is',
    as: AGENT,
    fields: (_t, subject) => ({ subject_token: subject, scope: 'files:delete' }),
    rfc8693: 'invalid_scope',
    profile: 'invalid_scope',
  },
  {
    what: 'no subject at all: malformed stays malformed',
    as: AGENT,
    fields: () => ({}),
    rfc8693: 'invalid_request',
    profile: 'invalid_request',
  },
  {
    what: 'a public client',
    as: DESKTOP,
    fields: (_t, subject) => ({ subject_token: subject, client_id: DESKTOP }),
    rfc8693: 'unauthorized_client',
    profile: 'unauthorized_client',
  },
];

describe.each([
  ['rfc8693', (one: Try) => one.rfc8693],
  ['actor-profile', (one: Try) => one.profile],
] as const)('errors as %s', (mode, expected) => {
  let t: TestBroker;
  let subject: string;
  beforeAll(async () => {
    t = await startTestBroker({ config: { exchangeErrors: mode } });
    subject = (await redeem(t, await authorize(t))).body.access_token;
  });
  afterAll(() => t?.close());

  const exchange = async ({ as, fields }: Pick<Try, 'as' | 'fields'>) =>
    postToken(t, as, {
      grant_type: GRANT,
      subject_token_type: TYPE('access_token'),
      ...(await fields(t, subject)),
    });

  it.each(TRIES.map((one) => [one.what, one] as const))('%s', async (_what, one) => {
    const { status, body } = await exchange(one);
    expect([status, body.error, typeof body.error_description]).toEqual([
      400,
      expected(one),
      'string',
    ]);
  });

  it('what is allowed is allowed all the same', async () => {
    const fields = () => ({ subject_token: subject, scope: 'files:list' });
    const { status, body } = await exchange({ as: AGENT, fields });
    expect([status, body.scope, body.issued_token_type]).toEqual([
      200,
      'files:list',
      TYPE('access_token'),
    ]);
  });

  it('a subject that was stopped is unusable, whichever step notices', async () => {
    const other = (await redeem(t, await authorize(t))).body.access_token;
    await t.broker.registry.agents.setStatus('cli', AGENT, { status: 'paused', reason: 'test' });
    await letTakeWork(t.opened.db);
    const { status, body } = await exchange({
      as: OTHER_AGENT,
      fields: () => ({ subject_token: other }),
    });
    expect([status, body.error]).toEqual([
      400,
      mode === 'rfc8693' ? 'invalid_request' : 'invalid_grant',
    ]);
  });

  it.each([
    'oauth-authorization-server',
    'openid-configuration',
  ])('%s says what is on, and nothing that is off', async (name) => {
    const document = await (await fetch(`${t.issuer}/.well-known/${name}`)).json();
    const { actor_profile_token_exchange, entity_profiles_supported } = document;
    const { authorization_grant_profiles_supported } = document;
    expect(document.grant_types_supported).toContain(GRANT);
    expect({
      actor_profile_token_exchange,
      authorization_grant_profiles_supported,
      entity_profiles_supported,
    }).toEqual(
      mode === 'rfc8693'
        ? {}
        : {
            actor_profile_token_exchange: {
              subject_token_types_supported: TYPES,
              actor_token_types_supported: TYPES,
              requested_token_types_supported: TYPES,
            },
            // DI6: this profile, and not ID-JAG's.
            authorization_grant_profiles_supported: [
              'urn:ietf:params:oauth:grant-profile:actor-profile',
            ],
            entity_profiles_supported: {
              client: ['ai_agent', 'service'],
              subject: ['user', 'ai_agent', 'service'],
              actor: ['ai_agent', 'service'],
            },
          },
    );
  });
});
