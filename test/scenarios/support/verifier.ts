// A scenario through the verifier: what a resource's own server makes of the tokens that the broker
// issued, by its tool policy, keys and revocations read from the broker itself.
import { formatScope } from '../../../src/protocol/index.js';
import {
  type AuthContext,
  AuthError,
  createVerifier,
  type Verifier,
} from '../../../src/verifier/index.js';
import { defineToolPolicy, type ToolPolicy } from '../../../src/verifier/mcp/index.js';
import type { Names } from './rows.js';
import type { Outcome, Reason, Use, WorldWords } from './words.js';

export interface Guards {
  /** What a server learns of a token, and what it may be used for there. */
  sees(token: string, at: string): Promise<Outcome>;
  uses(token: string, use: Use): Promise<Outcome>;
  /** Every tool of a resource that its policy lets this token use. */
  tools(token: string, at: string): Promise<readonly string[]>;
  /** Everything it learns, in the words of introspection (RFC 7662 §2.2); or only that it is refused. */
  answers(token: string, at: string): Promise<object>;
  /** Something was stopped: servers that start now read it at once. */
  forget(): Promise<void>;
}

interface Guard {
  readonly verifier: Verifier;
  readonly policy: ToolPolicy;
}

export function createGuards(issuer: string, world: WorldWords, names: Names): Guards {
  const guards = new Map<string, Guard>();
  const guardOf = (at: string): Guard => {
    const known = guards.get(at);
    if (known !== undefined) return known;
    const tools = Object.entries(world.resources[at]?.tools ?? {});
    const guard = {
      verifier: createVerifier({ issuer, resource: names.resource(at) }),
      policy: defineToolPolicy({
        tools: Object.fromEntries(tools.map(([t, all]) => [t, { all }])),
      }),
    };
    guards.set(at, guard);
    return guard;
  };
  const context = async (token: string, at: string) =>
    guardOf(at)
      .verifier.verify(token)
      .catch((error: unknown) => ({ denied: [reasonOfError(error)] }));
  const decide = async (token: string, at: string, tool: string): Promise<Outcome> => {
    const caller = await context(token, at);
    if ('denied' in caller) return caller;
    const { verifier, policy } = guardOf(at);
    const requirement = policy.requirementOf('tools', tool);
    if (requirement === undefined) throw new Error(`${at} has no tool ${tool}`);
    const decision = verifier.decide(caller, requirement);
    return decision.ok ? 'may' : { denied: [reasonOfError(decision.error)] };
  };
  return {
    sees: async (token, at) => {
      const caller = await context(token, at);
      if ('denied' in caller) return caller;
      return {
        gets: [...caller.scopes],
        acting: caller.actorChain.map(({ id }) => names.word(id)),
      };
    },
    uses: (token, { tool, at }) => decide(token, at, tool),
    tools: async (token, at) => {
      const all = guardOf(at).policy.toolNames;
      const decisions = await Promise.all(all.map((tool) => decide(token, at, tool)));
      return all.filter((_, n) => decisions[n] === 'may');
    },
    answers: async (token, at) => {
      const caller = await context(token, at);
      return 'denied' in caller ? { active: false } : answerOf(caller);
    },
    forget: async () => {
      // A stream that is just being opened is one the broker would wait for when it ends.
      const all = [...guards.values()].map(({ verifier }) => verifier);
      await Promise.all(all.map((one) => one.ready().then(() => one.close())));
      guards.clear();
    },
  };
}

/** A context as introspection would put it. */
export function answerOf(caller: AuthContext): object {
  const { issuer: iss, audience: aud, subject, client, actorProof, user } = caller;
  return {
    active: true,
    iss,
    aud,
    sub: subject.id,
    sub_profile: subject.profile,
    client_id: client.id,
    scope: formatScope(caller.scopes),
    agent_scope: caller.agentScopes && formatScope(caller.agentScopes),
    act: caller.actorChain.map(({ id, issuer, profile }) => ({ sub: id, iss: issuer, profile })),
    actor_proof: actorProof,
    via: caller.via,
    jti: caller.tokenId,
    exp: caller.expiresAt.getTime() / 1000,
    acr: user?.acr,
    auth_time: user?.authTimeSeconds,
  };
}

const REASONS: Readonly<Record<string, Reason>> = {
  revoked: 'somebody in the story was stopped',
  audience_mismatch: 'the token is for another resource',
  agent_scope_missing: 'the token lacks the scope',
  user_scope_missing: 'the token lacks the scope',
  token_scope_missing: 'the token lacks the scope',
};

function reasonOfError(error: unknown): Reason {
  const reason = error instanceof AuthError ? REASONS[error.reason] : undefined;
  if (reason === undefined) throw error;
  return reason;
}
