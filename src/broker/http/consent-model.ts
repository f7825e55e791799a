/** What the consent page shows: plain data, so that the page decides nothing. */
import type { TakenBy } from '../delegation/policy.js';

export type Risk = 'read' | 'write' | 'destructive';

export interface ShownScope {
  readonly name: string;
  readonly title: string;
  readonly description?: string | undefined;
  readonly risk: Risk;
  /** Tools of the resource that need this scope. */
  readonly tools: readonly string[];
  /** Where the resource's server may go on with it: another resource, and what is done there. */
  readonly onward: ReadonlyArray<{ readonly name: string; readonly titles: readonly string[] }>;
  /** Read and write scopes are pre-ticked, destructive ones are not. */
  readonly ticked: boolean;
}

export interface ShownTakenAway {
  readonly name: string;
  readonly title: string;
  readonly by: readonly TakenBy[];
}

export interface RedirectTarget {
  /** `web`: an https host; `loopback`: a program on this computer; `app`: a custom scheme. */
  readonly kind: 'web' | 'loopback' | 'app';
  /** Host (and port) or scheme, in large type on the page. */
  readonly display: string;
}

/** Registry data, never the request's. */
export interface ShownAgent {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  readonly sponsor?: string | undefined;
  readonly purpose?: string | undefined;
  readonly description?: string | undefined;
  readonly vendor?: string | undefined;
  readonly model?: string | undefined;
  readonly version?: string | undefined;
  readonly registeredSecondsAgo: number;
  /** Since its description last changed; absent: never. */
  readonly changedSecondsAgo?: number | undefined;
  /** Who has let it act for them; counted up to a bound. */
  readonly people: { readonly count: number; readonly orMore: boolean };
}

export interface ShownClient {
  readonly id: string;
  readonly name: string;
  /** Who put it here: an operator, or nobody who was checked. */
  readonly origin: 'operator' | 'registration';
  /** Where it may ever be answered, from its registration. */
  readonly redirectUris: readonly string[];
  /** It introduces itself by a document on this host, and nobody here knows it. */
  readonly introducedBy?: string | undefined;
  /** Its own words, which nobody has checked. */
  readonly description?: string | undefined;
  readonly clientUri?: string | undefined;
  readonly logoUri?: string | undefined;
  readonly policyUri?: string | undefined;
  readonly contact?: string | undefined;
}

/** What of the terms a person agreed to can have changed. */
export type ChangedPart =
  | 'agentName'
  | 'agentOwner'
  | 'agentPurpose'
  | 'agentDescription'
  | 'clientName'
  | 'clientRedirects'
  | 'clientDescription'
  | 'clientUri'
  | 'clientLogo'
  | 'clientPolicy'
  | 'clientContact'
  | 'clientProof'
  | 'resourceName'
  | 'scopeTitle'
  | 'scopeDescription'
  | 'scopeRisk'
  | 'scopeTools'
  | 'scopeOnward';

export interface ShownChange {
  readonly part: ChangedPart;
  /** The title of the scope it is about. */
  readonly scope?: string | undefined;
  /** Empty: nothing was there. A risk stands as its name. */
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** What is different from what this person last decided. */
export interface ShownChanges {
  /** Never asked before. */
  readonly added: ReadonlyArray<{ readonly name: string; readonly title: string }>;
  /** Allowed before, and not possible any more. */
  readonly gone: ReadonlyArray<{ readonly name: string; readonly title: string }>;
  readonly changed: readonly ShownChange[];
}

/** Ticks that can be set at once. */
export type Preset = 'read' | 'all' | 'none';

export interface ConsentPageModel {
  readonly user: { readonly name: string; readonly email: string };
  /** Absent: an ordinary client asks for itself. */
  readonly agent?: ShownAgent;
  readonly client: ShownClient;
  readonly redirect: RedirectTarget;
  /** Absent: the client only wants to know who you are (OpenID Connect sign-in). */
  readonly resource?: { readonly identifier: string; readonly name: string };
  readonly scopes: readonly ShownScope[];
  readonly takenAway: readonly ShownTakenAway[];
  /** Absent: this person is asked for the first time. */
  readonly changes?: ShownChanges | undefined;
  /** What stood here changed while it was read. */
  readonly changedMeanwhile: boolean;
  /** Those that make a difference here. */
  readonly presets: readonly Preset[];
  /** The one that was just pressed. */
  readonly preset?: Preset | undefined;
  /** How long it may last, the longest first: that is until somebody stops it. */
  readonly durations: ReadonlyArray<{ readonly seconds: number; readonly chosen: boolean }>;
  /** How many actors may follow the agent; absent: nobody acts. */
  readonly helpers?: { readonly max: number; readonly chosen: number };
  /** Where the user sees and stops what acts for them. */
  readonly manageUrl: string;
  /** Opaque, signed: what this page showed, to whom, in which interaction. Only that can be granted. */
  readonly shown: string;
  /** Where the forms post: approve/deny, the same page with other ticks, and "not you?". */
  readonly actions: {
    readonly decide: string;
    readonly preset: string;
    readonly switchUser: string;
  };
}
