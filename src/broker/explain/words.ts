/** Changes as an operator reads them, and the command that makes each. Reads what there is, for lists. */
import { safeText } from '../audit/safe-text.js';
import type { Facts } from '../facts/store.js';
import type { Change } from './change.js';

export interface Step {
  readonly says: string;
  /** Null: nobody but the user, or the client, can do that. */
  readonly command: string | null;
}

type Name = (id: string) => string;

/** In the order they are to be done. */
export async function stepsOf(
  facts: Facts,
  changes: readonly Change[],
  nameOf: Name,
): Promise<Step[]> {
  const name: Name = (id) => safeText(nameOf(id));
  const steps = [
    ...(await permissions(facts, changes, name)),
    ...(await edges(facts, changes, name)),
    ...(await Promise.all(changes.map((change) => registryStep(facts, change, name)))).flat(),
    ...byOthers(changes, name),
  ];
  return [...new Map(steps.map((step) => [step.says, step])).values()];
}

/** Every id that a change names. */
export const idsIn = (changes: readonly Change[]): string[] =>
  changes.flatMap((change) => Object.values(change).filter((value) => typeof value === 'string'));

const behalf = (...words: readonly string[]): string =>
  ['behalf', ...words.map(quoted)].map((word) => safeText(word, 4000)).join(' ');

/** For a shell. */
const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;

const list = (...names: readonly string[]): string => [...new Set(names)].sort().join(',');

type Kind<K extends Change['kind']> = Extract<Change, { kind: K }>;
const ofKind = <K extends Change['kind']>(changes: readonly Change[], kind: K): Kind<K>[] =>
  changes.filter((change): change is Kind<K> => change.kind === kind);

const groups = <T>(items: readonly T[], keyOf: (item: T) => string): T[][] => {
  const byKey = new Map<string, T[]>();
  for (const item of items) byKey.set(keyOf(item), [...(byKey.get(keyOf(item)) ?? []), item]);
  return [...byKey.values()];
};

/** A permission is set whole: what there is stays. */
async function permissions(facts: Facts, changes: readonly Change[], name: Name): Promise<Step[]> {
  const all = groups(ofKind(changes, 'permit'), (one) => `${one.principal} ${one.resource}`);
  const steps = all.map(async (same): Promise<Step[]> => {
    const [first] = same;
    if (first === undefined) return [];
    const { principal, resource } = first;
    const scopes = same.map(({ scope }) => scope);
    const held = await facts.permitted([principal], resource);
    return [
      {
        says: `permit ${name(principal)} ${scopes.map((scope) => safeText(scope)).join(', ')} at ${name(resource)}`,
        command: behalf('permission', 'set', principal, resource, list(...held, ...scopes)),
      },
    ];
  });
  return (await Promise.all(steps)).flat();
}

async function edges(facts: Facts, changes: readonly Change[], name: Name): Promise<Step[]> {
  const all = groups(ofKind(changes, 'edge'), ({ from }) => from);
  const steps = all.map(async (same): Promise<Step[]> => {
    const from = same[0]?.from ?? '';
    const downstream = structuredClone((await facts.resource(from))?.downstream ?? []) as {
      resource: string;
      scopes: Record<string, string[]>;
    }[];
    for (const { to, scope, as } of same) {
      const known = downstream.find(({ resource }) => resource === to);
      const edge = known ?? { resource: to, scopes: {} };
      if (known === undefined) downstream.push(edge);
      edge.scopes[scope] = [...new Set([...(edge.scopes[scope] ?? []), as])];
    }
    const said = same.map(({ to, scope, as }) => `${scope} as ${as} at ${name(to)}`);
    return [
      {
        says: `let ${name(from)} call onward: ${safeText(said.join(', '), 1000)}`,
        command: behalf('resource', 'change', from, '--data', JSON.stringify({ downstream })),
      },
    ];
  });
  return (await Promise.all(steps)).flat();
}

const VERBS: Readonly<Record<string, string>> = {
  draft: 'activate',
  paused: 'resume',
  blocked: 'unblock',
  disabled: 'enable',
};

async function registryStep(facts: Facts, change: Change, name: Name): Promise<Step[]> {
  switch (change.kind) {
    case 'activate': {
      const verb = VERBS[change.status] ?? 'activate';
      const noun = change.id.startsWith('usr_') ? 'user' : 'agent';
      return [{ says: `${verb} ${name(change.id)}`, command: behalf(noun, verb, change.id) }];
    }
    case 'front':
      return [await front(facts, change, name)];
    case 'bind': {
      const listed = (await facts.agent(change.agent))?.clients.includes(change.client) === true;
      const bind = {
        says: `bind ${name(change.client)} to ${name(change.agent)}`,
        command: behalf('client', 'change', change.client, '--agent-id', change.agent),
      };
      return listed ? [bind] : [await front(facts, change, name), bind];
    }
    case 'let_exchange': {
      const noun = change.client.startsWith('agt_') ? 'agent' : 'client';
      const command = behalf(noun, 'change', change.client, '--may-exchange', 'yes');
      return [{ says: `let ${name(change.client)} exchange tokens`, command }];
    }
    case 'accept_client': {
      const { client, resource } = change;
      const clients = (await facts.resource(resource))?.clients ?? [];
      const command = behalf('resource', 'change', resource, '--clients', list(...clients, client));
      return [{ says: `let ${name(resource)} accept ${name(client)}`, command }];
    }
    case 'any_root': {
      const command = behalf('resource', 'change', change.resource, '--require-user', 'no');
      return [
        { says: `let ${name(change.resource)} accept tokens that begin with nobody`, command },
      ];
    }
    case 'take_work': {
      const { helper, from } = change;
      const froms = list(...((await facts.agent(helper))?.takesWorkFrom ?? []), from);
      return [
        {
          says: `let ${name(helper)} take work from ${name(from)}`,
          command: behalf('agent', 'change', helper, '--takes-work-from', froms),
        },
      ];
    }
    default:
      return [];
  }
}

async function front(
  facts: Facts,
  { agent, client }: { readonly agent: string; readonly client: string },
  name: Name,
): Promise<Step> {
  const clients = (await facts.agent(agent))?.clients ?? [];
  return {
    says: `let ${name(client)} act through ${name(agent)}`,
    command: behalf('agent', 'change', agent, '--clients', list(...clients, client)),
  };
}

/** What is not an operator's to do. A new authorization is one, whatever it is for. */
function byOthers(changes: readonly Change[], name: Name): Step[] {
  const consents = ofKind(changes, 'consent');
  const what = [
    ...(consents.length === 0
      ? []
      : [
          `${name(consents[0]?.user ?? '')} ticks ${consents.map(({ scope }) => scope).join(', ')}`,
        ]),
    ...ofKind(changes, 'helpers').map(
      ({ helpers }) => `the user allows ${helpers} helper${helpers === 1 ? '' : 's'}`,
    ),
    ...ofKind(changes, 'show_edge').map(
      ({ to, scope, as }) => `the page shows the call onward to ${name(to)} (${scope} as ${as})`,
    ),
  ];
  const anew = what.length > 0 || changes.some(({ kind }) => kind === 'authorize');
  const wider = ofKind(changes, 'wider_token').map(({ scope }) => scope);
  return [
    ...(anew
      ? [{ says: safeText(['a new authorization', ...what].join(': '), 1000), command: null }]
      : []),
    ...(wider.length === 0
      ? []
      : [{ says: safeText(`begin with a token that carries ${wider.join(', ')}`), command: null }]),
    ...(changes.some(({ kind }) => kind === 'prove_key')
      ? [{ says: 'send a DPoP proof with the key the token is bound to', command: null }]
      : []),
  ];
}
