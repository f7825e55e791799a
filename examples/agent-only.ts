/**
 * Work that no person asked for: an agent with its own token, at an operation that takes nobody else, and
 * at one that wants a person behind the call. Runs by itself.
 */
import { createTestIssuer } from 'behalf/testing';
import { createVerifier } from 'behalf/verifier';
import { check } from './story.js';

const broker = await createTestIssuer();
const { issuer, resource, fetch } = broker;
const verifier = createVerifier({ issuer, resource, fetch });

const nightly = { all: ['reports:write'], principal: ['agent'] } as const;
const personal = { all: ['reports:write'], chain: { humanRoot: true } } as const;
const decide = async (token: string, requirement: typeof nightly | typeof personal) => {
  const decision = await verifier.authorize(await verifier.verify(token), requirement);
  return decision.ok ? 'may' : `${decision.error.code}, ${decision.error.reason}`;
};

const alone = await broker.agentToken({ agent: 'agt_reporter', scope: 'reports:write' });
const caller = await verifier.verify(alone);
check(
  'who it is',
  [caller.kind, caller.agent?.id, caller.user],
  ['agent', 'agt_reporter', undefined],
);
check('the agent alone, at its own work', await decide(alone, nightly), 'may');
check(
  'the agent alone, where a person must stand behind it',
  await decide(alone, personal),
  'actor_unauthorized, chain_refused',
);
const delegated = await broker.delegatedToken({ agent: 'agt_reporter', scope: 'reports:write' });
check('for a user, at personal work', await decide(delegated, personal), 'may');
check(
  'for a user, at work for agents alone',
  await decide(delegated, nightly),
  'actor_unauthorized, principal_refused',
);

await verifier.close();
