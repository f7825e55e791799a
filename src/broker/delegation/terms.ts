/**
 * What a person agrees to besides the names of scopes: who acts, who answers for it, what the client
 * said of itself, and what each scope means and where it leads. Kept with the consent as it was
 * shown, so that a change asks again (D7, I2) and the page can say what changed. Pure.
 */
import { createHash } from 'node:crypto';
import { closure } from '../../protocol/index.js';
import type { TermsFacts } from './coverage.js';

export interface ScopeTerms {
  readonly title: string;
  readonly description: string;
  readonly risk: string;
  /** Tools of the resource that need this scope. */
  readonly tools: readonly string[];
  /** Where the resource's server may go on with it: identifier → its name, and scopes there → titles. */
  readonly downstream: Readonly<
    Record<string, { readonly name: string; readonly scopes: Readonly<Record<string, string>> }>
  >;
}

/** The client's own words: nobody vouches for them. Empty: it says nothing. */
export interface ClientTerms {
  readonly name: string;
  readonly redirectUris: readonly string[];
  readonly description: string;
  readonly clientUri: string;
  readonly logoUri: string;
  readonly policyUri: string;
  readonly contact: string;
  /** Of a client that is known by a document only: how it proves itself, and its keys. */
  readonly proof?: readonly string[] | undefined;
}

export interface AgentTerms {
  readonly name: string;
  readonly owner: string;
  readonly purpose: string;
  readonly description: string;
}

export interface Terms {
  /** Absent: the client asks for itself. */
  readonly agent?: AgentTerms | undefined;
  readonly client: ClientTerms;
  /** Absent: identity only. */
  readonly resource?: { readonly name: string } | undefined;
  /** Of every scope at the resource that was offered; identity scopes mean the same everywhere. */
  readonly scopes: Readonly<Record<string, ScopeTerms>>;
}

type Absent = string | null | undefined;

export interface AgentWords {
  readonly name: string;
  readonly owner: string;
  readonly purpose?: Absent;
  readonly description?: Absent;
}

export interface ClientWords {
  readonly name: string;
  readonly redirectUris: readonly string[];
  readonly description?: Absent;
  readonly clientUri?: Absent;
  readonly logoUri?: Absent;
  readonly policyUri?: Absent;
  readonly contact?: Absent;
  readonly proof?: readonly string[] | undefined;
}

export interface ResourceWords {
  readonly name: string;
  readonly scopes: Readonly<
    Record<
      string,
      {
        readonly title: string;
        readonly description?: Absent;
        readonly risk: string;
        readonly implies?: readonly string[] | undefined;
      }
    >
  >;
  readonly tools: Readonly<Record<string, readonly string[]>>;
  readonly downstream: ReadonlyArray<{
    readonly resource: string;
    readonly scopes: Readonly<Record<string, readonly string[]>>;
  }>;
}

export interface TermsSources {
  readonly agent: AgentWords | undefined;
  readonly client: ClientWords;
  readonly resource: ResourceWords | undefined;
  /** Resources named by downstream edges, as far as they exist. */
  readonly onward: Readonly<Record<string, ResourceWords | undefined>>;
}

const sorted = (texts: Iterable<string>): string[] => [...new Set(texts)].sort();

export const clientTerms = (words: ClientWords): ClientTerms => ({
  name: words.name,
  redirectUris: sorted(words.redirectUris),
  description: words.description ?? '',
  clientUri: words.clientUri ?? '',
  logoUri: words.logoUri ?? '',
  policyUri: words.policyUri ?? '',
  contact: words.contact ?? '',
  ...(words.proof === undefined ? {} : { proof: sorted(words.proof) }),
});

/** What somebody who is offered these scopes agrees to now. Order in the registry means nothing. */
export function termsOf(sources: TermsSources, offered: readonly string[]): Terms {
  const { agent, client, resource } = sources;
  const named = offered.filter((scope) => Object.hasOwn(resource?.scopes ?? {}, scope));
  return {
    ...(agent === undefined
      ? {}
      : {
          agent: {
            name: agent.name,
            owner: agent.owner,
            purpose: agent.purpose ?? '',
            description: agent.description ?? '',
          },
        }),
    client: clientTerms(client),
    ...(resource === undefined ? {} : { resource: { name: resource.name } }),
    scopes: Object.fromEntries(
      resource === undefined
        ? []
        : sorted(named).map((scope) => [scope, scopeTerms(resource, scope, sources.onward)]),
    ),
  };
}

function scopeTerms(
  resource: ResourceWords,
  scope: string,
  onward: TermsSources['onward'],
): ScopeTerms {
  const rule = resource.scopes[scope];
  const needing = Object.entries(resource.tools).filter(([, needed]) => needed.includes(scope));
  const places = resource.downstream.flatMap(({ resource: identifier, scopes }) => {
    const target = onward[identifier];
    if (target === undefined) return [];
    // With all that comes along there: what is not shown is not given.
    const hierarchy = Object.entries(target.scopes).map(([name, { implies = [] }]) => [
      name,
      implies,
    ]);
    const named = Object.hasOwn(scopes, scope) ? (scopes[scope] ?? []) : [];
    const there = closure(named, Object.fromEntries(hierarchy)).filter((name) =>
      Object.hasOwn(target.scopes, name),
    );
    if (there.length === 0) return [];
    const titles = sorted(there).map((name) => [name, target.scopes[name]?.title ?? name] as const);
    return [[identifier, { name: target.name, scopes: Object.fromEntries(titles) }] as const];
  });
  return {
    title: rule?.title ?? scope,
    description: rule?.description ?? '',
    risk: rule?.risk ?? 'read',
    tools: sorted(needing.map(([tool]) => tool)),
    downstream: Object.fromEntries(places),
  };
}

/** JSON with members in one order: what is equal is equal as text, also after a database sorted it. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`);
  return `{${members.join(',')}}`;
}

const hash = (value: unknown): string =>
  createHash('sha256').update(canonical(value)).digest('base64url');

/** Of everything the page said besides the scopes asked for. */
export const termsHash = (terms: Terms): string => hash(terms);

/** What the client says of itself: other words, or another redirect, are another client to consent to. */
export const clientHash = (words: ClientWords): string => hash(clientTerms(words));

/** As decisions compare them. */
export const termsFacts = ({ scopes, ...parties }: Terms): TermsFacts => ({
  parties: canonical(parties),
  scopes: Object.fromEntries(
    Object.entries(scopes).map(([scope, terms]) => [scope, canonical(terms)]),
  ),
});

interface KeptTerms {
  readonly terms: Readonly<Record<string, unknown>>;
  readonly termsHash: string;
}

/** What a consent keeps; undefined for one from before terms were kept. */
export const keptTerms = ({ terms, termsHash: hashed }: KeptTerms): Terms | undefined =>
  hashed === '' ? undefined : (terms as unknown as Terms);

/** A consent without terms agreed to nothing that stands now. */
export function keptTermsFacts(consent: KeptTerms): TermsFacts {
  const terms = keptTerms(consent);
  return terms === undefined ? { parties: '', scopes: {} } : termsFacts(terms);
}

/** Terms after a decision that only added: what was not offered this time stays as it was agreed. */
export const widenedTerms = (kept: Terms | undefined, now: Terms): Terms => ({
  ...now,
  scopes: { ...kept?.scopes, ...now.scopes },
});

/** Where the page said the resource's server may go on, and with what: none from before terms were kept. */
export function agreedEdges(consent: KeptTerms): readonly AgreedEdge[] {
  const edges = new Map<string, Record<string, readonly string[]>>();
  for (const [scope, { downstream }] of Object.entries(keptTerms(consent)?.scopes ?? {})) {
    for (const [resource, { scopes }] of Object.entries(downstream)) {
      edges.set(resource, { ...edges.get(resource), [scope]: Object.keys(scopes) });
    }
  }
  return [...edges].map(([resource, scopes]) => ({ resource, scopes }));
}

export interface AgreedEdge {
  readonly resource: string;
  /** scope here → scopes there */
  readonly scopes: Readonly<Record<string, readonly string[]>>;
}
