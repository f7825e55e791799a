/**
 * Stepping up: what a server answers when the user gave too little, signed in too long ago, or when no page
 * could help because the agent itself may not (RFC 6750 §3.1, RFC 9470, MCP authorization). Runs by itself.
 */
import { createTestIssuer } from 'behalf/testing';
import { createVerifier, type Requirement } from 'behalf/verifier';
import { check } from './story.js';

const broker = await createTestIssuer();
const { issuer, resource, fetch } = broker;
const verifier = createVerifier({ issuer, resource, fetch });
const agentScope = 'files:list files:read files:write';

/** The challenge a client gets, as far as it tells it what to ask the user for. */
const challengeTo = async (token: string, requirement: Requirement) => {
  const decision = await verifier.authorize(await verifier.verify(token), requirement);
  if (decision.ok) return 'may';
  const { status, headers, body } = verifier.challenge(decision.error);
  const challenge = headers['www-authenticate'] ?? '';
  const asked = ['scope', 'max_age'].flatMap((name) => {
    const [, value] = new RegExp(`\\b${name}="?([^",]*)`).exec(challenge) ?? [];
    return value === undefined ? [] : [`${name} ${value}`];
  });
  return [status, body.error, ...asked].join(' ');
};

const first = await broker.delegatedToken({ scope: 'files:list files:read', agentScope });
check(
  'the user gave too little: asked for all of it, what is held included',
  await challengeTo(first, 'files:write'),
  '403 insufficient_scope scope files:list files:read files:write',
);
const second = await broker.delegatedToken({ scope: agentScope });
check('after the user agreed', await challengeTo(second, 'files:write'), 'may');
check(
  'the agent may never: nobody is asked',
  await challengeTo(second, 'files:delete'),
  '403 actor_unauthorized',
);

const now = Math.floor(Date.now() / 1000);
const recently: Requirement = { all: ['files:write'], maxAuthAgeSeconds: 300 };
const old = await broker.delegatedToken({ scope: agentScope, claims: { auth_time: now - 3600 } });
check(
  'signed in an hour ago: sign in again, with the same scopes',
  await challengeTo(old, recently),
  '401 insufficient_user_authentication scope files:list files:read files:write max_age 300',
);
const fresh = await broker.delegatedToken({ scope: agentScope, claims: { auth_time: now } });
check('signed in just now', await challengeTo(fresh, recently), 'may');

await verifier.close();
