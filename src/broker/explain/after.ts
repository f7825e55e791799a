/** What the facts of a question are after a change. Pure: copies, nothing is changed. */
import type { DelegationFacts } from '../delegation/policy.js';
import type { OwnFacts } from '../tokens/policy.js';
import { activated, afterInExchange, plus } from './after-exchange.js';
import type { Change, DelegationQuestion, OwnQuestion, Question } from './change.js';

/** The question as it would be after a change. */
export function after(question: Question, change: Change): Question {
  switch (question.kind) {
    case 'delegation':
      return afterInDelegation(question, change);
    case 'exchange':
      return afterInExchange(question, change);
    case 'own':
      return afterInOwn(question, change);
  }
}

function afterInDelegation(question: DelegationQuestion, change: Change): DelegationQuestion {
  const { facts, request } = question;
  const { agent, client, resource, user } = facts;
  const withFacts = (more: Partial<DelegationFacts>) => ({
    ...question,
    facts: { ...facts, ...more },
  });
  switch (change.kind) {
    case 'activate':
      return withFacts({
        user: activated(user, change.id),
        client: activated(client, change.id),
        agent: activated(agent, change.id),
      });
    case 'front':
      return withFacts({
        agent: agent && { ...agent, clients: plus(agent.clients, change.client) },
      });
    case 'bind':
      return withFacts({ client: client && { ...client, boundTo: change.agent } });
    case 'accept_client':
      return withFacts({
        resource: resource && { ...resource, clients: plus(resource.clients ?? [], change.client) },
      });
    case 'permit': {
      const { principal, scope } = change;
      const forUser = principal === question.userId ? [scope] : [];
      const forAgent = principal === agent?.id ? [scope] : [];
      return withFacts({
        userPermitted: plus(facts.userPermitted, ...forUser),
        agentPermitted: plus(facts.agentPermitted, ...forAgent),
      });
    }
    case 'consent': {
      const consent = plus(request.consent ?? [], change.scope);
      return { ...question, request: { ...request, consent } };
    }
    case 'authorize':
      return {
        ...question,
        over: false,
        request: { ...request, sinceMs: Number.MAX_SAFE_INTEGER },
      };
    default:
      return question;
  }
}

function afterInOwn(question: OwnQuestion, change: Change): OwnQuestion {
  const { principal, target, permitted } = question.facts;
  const withFacts = (more: Partial<OwnFacts>) => ({
    ...question,
    facts: { ...question.facts, ...more },
  });
  switch (change.kind) {
    case 'activate':
      return withFacts({ principal: activated(principal, change.id) });
    case 'accept_client':
      return withFacts({
        target: target && { ...target, clients: plus(target.clients ?? [], change.client) },
      });
    case 'any_root':
      return withFacts({ target: target && { ...target, requireUser: false } });
    case 'permit':
      return withFacts({ permitted: plus(permitted, change.scope) });
    default:
      return question;
  }
}
