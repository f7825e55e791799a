/** What the facts of an exchange are after a change. Pure: copies, nothing is changed. */
import type { Party } from '../delegation/policy.js';
import type { Edge, ExchangeFacts, Place } from '../exchange/facts.js';
import type { Change, ExchangeQuestion } from './change.js';

export const plus = <T>(list: readonly T[], ...more: readonly T[]): T[] => [
  ...new Set([...list, ...more]),
];

export const activated = <P extends Party>(party: P | undefined, id: string): P | undefined =>
  party?.id === id ? { ...party, status: 'active' } : party;

export const afterInExchange = (question: ExchangeQuestion, change: Change): ExchangeQuestion => ({
  ...question,
  facts: {
    ...question.facts,
    ...ofParties(question.facts, change),
    ...ofAgreement(question.facts, change),
    ...(change.kind === 'permit'
      ? permitted(question, change.principal, change.resource, change.scope)
      : {}),
  },
});

type Changed = Partial<ExchangeFacts>;

/** Who there is, and where. */
function ofParties(facts: ExchangeFacts, change: Change): Changed {
  const { caller, helper, here, presenter, target } = facts;
  switch (change.kind) {
    case 'activate':
      return {
        story: facts.story.map((party) => activated(party, change.id)),
        caller: activated(caller, change.id),
        presenter: activated(presenter, change.id),
        helper: activated(helper, change.id),
      };
    case 'front':
      return {
        presenter: presenter && { ...presenter, clients: plus(presenter.clients, change.client) },
      };
    case 'bind':
      return { caller: caller && { ...caller, boundTo: change.agent } };
    case 'let_exchange':
      return { caller: caller && { ...caller, mayExchange: true } };
    case 'take_work':
      return { presenter: taking(presenter, change), helper: taking(helper, change) };
    case 'accept_client':
      return {
        target: target && { ...target, clients: plus(target.clients ?? [], change.client) },
      };
    case 'any_root':
      return { target: target && { ...target, requireUser: false } };
    case 'edge':
      return { here: here && { ...here, downstream: withEdge(here.downstream, change) } };
    default:
      return {};
  }
}

/** What the user agreed to, and what the caller brings. */
function ofAgreement(facts: ExchangeFacts, change: Change): Changed {
  const { delegation, here, parent } = facts;
  switch (change.kind) {
    case 'helpers':
      return { delegation: delegation && { ...delegation, helpers: change.helpers } };
    case 'show_edge':
      return {
        delegation: delegation && {
          ...delegation,
          downstream: withEdge(delegation.downstream, change),
        },
      };
    case 'authorize': {
      const agents = parent.chain.filter(({ profile }) => profile === 'ai_agent');
      return {
        delegation: {
          agentId: parent.chain.at(-1)?.id ?? '',
          helpers: Math.max(0, agents.length - 1),
          resource: here?.identifier ?? '',
          downstream: here?.downstream ?? [],
          expiresAt: parent.expiresAt,
        },
      };
    }
    case 'wider_token':
      return { parent: { ...parent, scopes: plus(parent.scopes, change.scope) } };
    case 'prove_key':
      return { provedKey: parent.boundTo, provedCertificate: parent.boundToCertificate };
    default:
      return {};
  }
}

const taking = <P extends { readonly id: string; readonly takesWorkFrom: readonly string[] }>(
  one: P | undefined,
  { helper, from }: { readonly helper: string; readonly from: string },
): P | undefined =>
  one?.id === helper ? { ...one, takesWorkFrom: plus(one.takesWorkFrom, from) } : one;

/** A permission counts wherever this exchange asks for it. */
function permitted(
  { facts, worked }: ExchangeQuestion,
  principal: string,
  resource: string,
  scope: string,
): Partial<ExchangeFacts> {
  const { here, parent, presenter, target } = facts;
  const subjectAt = (place: Place | undefined) =>
    place?.identifier === resource && principal === parent.subject
      ? { ...place, subjectPermitted: plus(place.subjectPermitted, scope) }
      : place;
  return {
    here: subjectAt(here),
    target: subjectAt(target),
    presenter:
      presenter?.id === principal && target?.identifier === resource
        ? { ...presenter, permitted: plus(presenter.permitted, scope) }
        : presenter,
    heldHere: facts.heldHere.map((held, n) =>
      worked[n] === principal && here?.identifier === resource ? plus(held, scope) : held,
    ),
  };
}

function withEdge(
  downstream: readonly Edge[],
  { to, scope, as }: { readonly to: string; readonly scope: string; readonly as: string },
): Edge[] {
  const others = downstream.filter(({ resource }) => resource !== to);
  const scopes = downstream.find(({ resource }) => resource === to)?.scopes ?? {};
  return [
    ...others,
    { resource: to, scopes: { ...scopes, [scope]: plus(scopes[scope] ?? [], as) } },
  ];
}
