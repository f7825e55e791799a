// The words scenarios are written in: who exists, what was given, what may be tried then. They say
// nothing of how a scenario is run: `policy.ts`, `http.ts` and `verifier.ts` each read them alike.

/** Resource → scopes. */
export type Permits = Readonly<Record<string, readonly string[]>>;

export interface ScopeWords {
  /** Default `read`. */
  readonly risk?: 'read' | 'write' | 'destructive';
  readonly restricted?: boolean;
  readonly implies?: readonly string[];
}

export interface ResourceWords {
  readonly scopes: Readonly<Record<string, ScopeWords>>;
  readonly tools?: Readonly<Record<string, readonly string[]>>;
  /** Its own service. */
  readonly server?: string;
  /** The only clients it takes tokens from. */
  readonly clients?: readonly string[];
  /** Takes no token that begins with an agent or a service. */
  readonly requireUser?: boolean;
  /** Where its own service may go on to, and what becomes of each scope there. */
  readonly downstream?: Readonly<Record<string, Permits>>;
}

export interface AgentWords {
  /** Clients that may front for it. */
  readonly clients?: readonly string[];
  readonly takesWorkFrom?: readonly string[];
  readonly may?: Permits;
}

export interface WorldWords {
  readonly people: Readonly<Record<string, { readonly may?: Permits }>>;
  readonly agents: Readonly<Record<string, AgentWords>>;
  /** Clients that sign people in; `agent`: the operator bound it to that one. */
  readonly apps: Readonly<Record<string, { readonly agent?: string }>>;
  readonly services: Readonly<Record<string, { readonly may?: Permits }>>;
  readonly resources: Readonly<Record<string, ResourceWords>>;
  /** Agents, apps and services that were not given the exchange grant. */
  readonly mayNotExchange?: readonly string[];
}

/** What somebody asks for, or a person decides. */
export type Request =
  | {
      readonly consent: {
        readonly by: string;
        /** The agent; absent: the app itself. */
        readonly to?: string;
        readonly through: string;
        readonly at: string;
        readonly scopes: readonly string[];
        /** What is ticked on the page; absent: everything that is shown. */
        readonly ticked?: readonly string[];
        readonly helpers?: number;
      };
    }
  | {
      readonly alone: {
        readonly who: string;
        readonly at: string;
        readonly scopes: readonly string[];
      };
    }
  | { readonly refresh: { readonly token: string; readonly scopes?: readonly string[] } }
  | {
      readonly exchange: {
        readonly token: string;
        readonly by: string;
        /** The app that asks in the agent's name, with the agent's own token as proof. */
        readonly through?: string;
        readonly at?: string;
        readonly scopes?: readonly string[];
        readonly handTo?: string;
      };
    };

/** What somebody with a token tries at a server. */
export interface Use {
  readonly tool: string;
  readonly at: string;
  readonly with: string;
}

export type Event =
  | { readonly block: string }
  | { readonly unblock: string }
  | { readonly pause: string }
  | { readonly resume: string }
  | { readonly retire: string }
  | { readonly disable: string }
  | { readonly enable: string }
  | { readonly remove: string }
  /** The consent behind this token. */
  | { readonly withdraw: string }
  /** RFC 7009, by the client it was given to. */
  | { readonly revoke: string }
  | { readonly permit: string; readonly at: string; readonly scopes: readonly string[] }
  | { readonly edges: string; readonly takesWorkFrom: readonly string[] }
  /** An agent is not given the exchange grant any more. */
  | { readonly exchangesNoMore: string }
  | { readonly route: string; readonly downstream: Readonly<Record<string, Permits>> };

export type Given = Event | (Request & { readonly as: string });

export type Allowed =
  | (Request & { readonly gets: readonly string[]; readonly acting?: readonly string[] })
  | Use;

export const REASONS = [
  'somebody in the story was stopped',
  'nobody acts',
  'it may not exchange tokens',
  'the client may not front for the agent',
  'neither actor, nor helper, nor the resource’s own service',
  'handed to somebody else',
  'there is no such helper',
  'the helper does not take work from the actor',
  'the user allowed no further helper',
  'it already acts',
  'the chain is too deep',
  'there is no such place',
  'the user was not shown that it leads there',
  'the resource does not take tokens from this client',
  'the resource demands a user',
  'the token does not carry that',
  'nothing is left',
  'not permitted',
  'the token is for another resource',
  'the token lacks the scope',
] as const;
export type Reason = (typeof REASONS)[number];

export type Denied = (Request | Use) & { readonly because: Reason };

export interface Scenario {
  /** A sentence. */
  readonly name: string;
  /** Incidents and threats it is about. */
  readonly refs?: readonly string[];
  readonly world: WorldWords;
  readonly given: readonly Given[];
  readonly allowed: readonly Allowed[];
  readonly denied: readonly Denied[];
}

/** What came of it. A denial may look alike for several reasons: then it could be any of them. */
export type Outcome =
  | { readonly gets: readonly string[]; readonly acting: readonly string[] }
  | 'may'
  | { readonly denied: readonly Reason[] };

/** One way to run a scenario. */
export interface Stage {
  happens(event: Event): Promise<void>;
  /** @param as what later steps call the token that comes of it */
  asks(request: Request, as?: string): Promise<Outcome>;
  uses(use: Use): Promise<Outcome>;
}

export const isUse = (one: object): one is Use => 'tool' in one;
export const isRequest = (one: object): one is Request =>
  'consent' in one || 'alone' in one || 'refresh' in one || 'exchange' in one;
