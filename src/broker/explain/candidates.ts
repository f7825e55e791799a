/**
 * Which single changes could matter to a question, and what it asks for. Pure. Too many is no harm:
 * `policy.ts` keeps those that are needed.
 */
import { closure, isSubset } from '../../protocol/index.js';
import {
  delegableScopes,
  heldScopes,
  hierarchyOf,
  type Party,
  type ScopeRule,
  type ScopeRules,
} from '../delegation/policy.js';
import { currentActor } from '../exchange/policy.js';
import type {
  Change,
  DelegationQuestion,
  ExchangeQuestion,
  OwnQuestion,
  Question,
} from './change.js';

/** What was asked for, all of which is to be granted. */
export function wantedIn(question: Question): readonly string[] {
  switch (question.kind) {
    case 'delegation':
      return question.request.requested;
    case 'own':
      return question.asked;
    case 'exchange': {
      const { facts, request } = question;
      const stays = facts.here?.identifier === facts.target?.identifier;
      return request.scopes ?? (stays ? facts.parent.scopes : []);
    }
  }
}

/** Single facts that could matter; those it is best to do without come first. */
export function candidatesFor(question: Question): readonly Change[] {
  switch (question.kind) {
    case 'delegation':
      return inDelegation(question);
    case 'exchange':
      return inExchange(question);
    case 'own':
      return inOwn(question);
  }
}

/** Whoever is retired stays so. */
const activations = (...parties: ReadonlyArray<Party | undefined>): Change[] => {
  const asleep = parties.filter(
    (party) => party !== undefined && party.status !== 'active' && party.status !== 'retired',
  ) as Party[];
  return [...new Map(asleep.map(({ id, status }) => [id, status]))].map(([id, status]) => ({
    kind: 'activate',
    id,
    status,
  }));
};

/** Those that imply least come first: what a greater one brings with it need not be said. */
const leastFirst = (scopes: ScopeRules, names: readonly string[]): string[] => {
  const reach = (name: string) => closure([name], hierarchyOf(scopes)).length;
  return [...new Set(names)]
    .filter((name) => Object.hasOwn(scopes, name))
    .sort((a, b) => reach(a) - reach(b));
};

const permits = (
  principal: string,
  resource: string,
  scopes: readonly string[],
  held: readonly string[],
): Change[] =>
  scopes
    .filter((scope) => !held.includes(scope))
    .map((scope) => ({ kind: 'permit', principal, resource, scope }));

function inDelegation(question: DelegationQuestion): Change[] {
  const { facts, request, resource: at, userId } = question;
  const { agent, client, resource, user } = facts;
  const rules = resource?.scopes ?? {};
  const wanted = leastFirst(rules, request.requested);
  const changes: Change[] = [];
  const { consent } = request;
  if (consent !== undefined) {
    const unticked = wanted.filter((scope) => !consent.includes(scope));
    changes.push(...unticked.map((scope) => ({ kind: 'consent', user: userId, scope }) as const));
  }
  if (agent !== undefined) {
    changes.push(...permits(agent.id, at, wanted, heldScopes(rules, facts.agentPermitted)));
  }
  changes.push(...permits(userId, at, wanted, delegableScopes(rules, facts.userPermitted)));
  if (client !== undefined && agent !== undefined && agent.id !== client.id) {
    const names = { agent: agent.id, client: client.id };
    if (client.boundTo && client.boundTo !== agent.id) changes.push({ kind: 'bind', ...names });
    if (!client.boundTo && !agent.clients.includes(client.id)) {
      changes.push({ kind: 'front', ...names });
    }
  }
  const isListed = resource?.clients?.includes(client?.id ?? '') !== false;
  if (client !== undefined && !isListed) {
    changes.push({ kind: 'accept_client', resource: at, client: client.id });
  }
  changes.push({ kind: 'authorize' }, ...activations(user, client, agent));
  return changes;
}

function inOwn({ facts, resource, asked }: OwnQuestion): Change[] {
  const { permitted, principal, target } = facts;
  if (principal === undefined || target === undefined) return [];
  const names = asked.length > 0 ? asked : Object.keys(target.scopes).filter(isBase(target.scopes));
  const wanted = leastFirst(target.scopes, names);
  return [
    ...permits(principal.id, resource, wanted, heldScopes(target.scopes, permitted)),
    ...(target.clients?.includes(principal.id) === false
      ? [{ kind: 'accept_client', resource, client: principal.id } as const]
      : []),
    ...(target.requireUser ? [{ kind: 'any_root', resource } as const] : []),
    ...activations(principal),
  ];
}

const isBase = (scopes: ScopeRules) => (name: string) => scopes[name]?.base === true;

function inExchange(question: ExchangeQuestion): Change[] {
  const { facts, worked } = question;
  const { caller, delegation, helper, here, parent, presenter, target } = facts;
  const changes: Change[] = [];
  if (here === undefined || target === undefined) return changes;
  const { identifier } = target;
  const asked = wantedIn(question);
  const wanted = leastFirst(
    target.scopes,
    asked.length > 0 ? asked : Object.keys(target.scopes).filter(isBase(target.scopes)),
  );
  const goesOn = here.identifier !== identifier;
  if (goesOn) changes.push(...edges(question, wanted));
  else {
    const missing = wanted.filter((scope) => !parent.scopes.includes(scope));
    changes.push(...missing.map((scope) => ({ kind: 'wider_token', scope }) as const));
  }
  const carried = goesOn ? leastFirst(here.scopes, parent.scopes) : wanted;
  const here2 = here.identifier;
  changes.push(
    ...[...new Set(worked)].flatMap((id) => permits(id, here2, carried, [])),
    ...permits(parent.subject, here2, carried, []),
    ...permits(parent.subject, identifier, wanted, []),
    ...(presenter === undefined ? [] : permits(presenter.id, identifier, wanted, [])),
  );
  const from = currentActor(parent);
  const next = helper ?? presenter;
  if (next !== undefined && from !== undefined && next.profile === 'ai_agent') {
    if (next.id !== from.id && !next.takesWorkFrom.includes(from.id)) {
      changes.push({ kind: 'take_work', helper: next.id, from: from.id });
    }
  }
  if (delegation === undefined) changes.push({ kind: 'authorize' });
  if (delegation) changes.push({ kind: 'helpers', helpers: helpersNeeded(question) });
  if (caller !== undefined && presenter !== undefined && caller.id !== presenter.id) {
    const names = { agent: presenter.id, client: caller.id };
    changes.push({ kind: 'bind', ...names }, { kind: 'front', ...names });
  }
  if (caller?.mayExchange === false) changes.push({ kind: 'let_exchange', client: caller.id });
  if (caller !== undefined && target.clients?.includes(caller.id) === false) {
    changes.push({ kind: 'accept_client', resource: identifier, client: caller.id });
  }
  if (target.requireUser) changes.push({ kind: 'any_root', resource: identifier });
  if (parent.boundTo ?? parent.boundToCertificate) changes.push({ kind: 'prove_key' });
  changes.push(...activations(...facts.story, caller, presenter, helper));
  return unique(changes);
}

/** One more agent than there are now follows the first. */
const helpersNeeded = ({ facts }: ExchangeQuestion): number =>
  Math.max(
    facts.delegation?.helpers ?? 0,
    facts.parent.chain.filter(({ profile }) => profile === 'ai_agent').length,
  );

const RISKS = ['read', 'write', 'destructive'];

/** As the registry takes an edge: to no greater risk, and to a restricted one from a restricted one. */
const mayBecome = (scope: ScopeRule | undefined, as: ScopeRule | undefined): boolean =>
  scope !== undefined &&
  as !== undefined &&
  RISKS.indexOf(as.risk) <= RISKS.indexOf(scope.risk) &&
  (!as.restricted || scope.restricted);

/** Every way from what the token carries to what is wanted over there, in the registry and as shown. */
function edges({ facts }: ExchangeQuestion, wanted: readonly string[]): Change[] {
  const { delegation, here, parent, target } = facts;
  if (here === undefined || target === undefined) return [];
  const to = target.identifier;
  const ways = wanted.flatMap((as) =>
    parent.scopes
      .filter((scope) => mayBecome(here.scopes[scope], target.scopes[as]))
      .map((scope) => ({ to, scope, as })),
  );
  const missing = ways.filter(({ scope, as }) => {
    const edge = here.downstream.find(({ resource }) => resource === to);
    return !isSubset([as], edge?.scopes[scope] ?? []);
  });
  return [
    ...missing.map((way) => ({ kind: 'edge', from: here.identifier, ...way }) as const),
    ...(delegation ? ways.map((way) => ({ kind: 'show_edge', ...way }) as const) : []),
  ];
}

/** One and the same permission may be missing in two places. */
const unique = (changes: readonly Change[]): Change[] => [
  ...new Map(changes.map((change) => [JSON.stringify(change), change])).values(),
];
