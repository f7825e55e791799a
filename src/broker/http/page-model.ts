/** What the consent page shows: plain data, so that the page decides nothing. */
import type { TakenBy } from '../delegation/policy.js';

export interface ShownScope {
  readonly name: string;
  readonly title: string;
  readonly description?: string | undefined;
  readonly risk: 'read' | 'write' | 'destructive';
  /** Tools of the resource that need this scope. */
  readonly tools: readonly string[];
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

export interface ConsentPageModel {
  readonly user: { readonly name: string; readonly email: string };
  /** Registry data, never the request's. Absent: an ordinary client asks for itself. */
  readonly agent?: {
    readonly id: string;
    readonly name: string;
    readonly owner: string;
    readonly purpose?: string | undefined;
    readonly description?: string | undefined;
  };
  readonly client: { readonly id: string; readonly name: string };
  readonly redirect: RedirectTarget;
  /** Absent: the client only wants to know who you are (OpenID Connect sign-in). */
  readonly resource?: { readonly identifier: string; readonly name: string };
  readonly scopes: readonly ShownScope[];
  readonly takenAway: readonly ShownTakenAway[];
  /** How long it may last; the first is the default. */
  readonly durations: ReadonlyArray<{ readonly seconds: number; readonly label: string }>;
  /** Opaque, signed: what this page showed, to whom, in which interaction. Only that can be granted. */
  readonly shown: string;
  /** Where the forms post: approve/deny and "not you?". */
  readonly actions: { readonly decide: string; readonly switchUser: string };
}

export interface SignInPageModel {
  /** Absent: nobody sent the person here, the pages behind are their own. */
  readonly client?: { readonly id: string; readonly name: string } | undefined;
  readonly agent?: { readonly name: string };
  /** Pre-filled from `login_hint`, when it looks like an address. */
  readonly email?: string | undefined;
  readonly problem?: 'wrong' | 'throttled';
  /** With `throttled`. */
  readonly retryAfterSeconds?: number | undefined;
  /** Opaque, signed: which interaction this form belongs to. */
  readonly form: string;
  readonly action: string;
}

export interface ErrorPageModel {
  readonly title: string;
  /** What happened, safe for anyone. */
  readonly message: string;
  /** What the person can do now. */
  readonly advice: string;
  /** For support, in English; absent when nothing went wrong. */
  readonly details?: {
    /** What the wire says: OAuth error code and sentence. */
    readonly code: string;
    readonly what: string;
    readonly requestId: string;
    readonly atMs: number;
  };
}
