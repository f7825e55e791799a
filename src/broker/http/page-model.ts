/** What pages show: plain data, so that they decide nothing. */

export type * from './consent-model.js';

export interface SignInPageModel {
  /** Absent: nobody sent the person here, the pages behind are their own. */
  readonly client?: { readonly id: string; readonly name: string } | undefined;
  readonly agent?: { readonly name: string };
  /** Somebody is signed in already: titles of what asks for a recent sign-in, or none. */
  readonly again?: { readonly scopes: readonly string[] };
  /** Pre-filled from `login_hint`, when it looks like an address, or with who is signed in. */
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
