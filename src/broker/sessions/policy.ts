/** Who is still signed in. Decides from what is known of the user; reads nothing. */

/** What of a user a session depends on. */
interface Standing {
  readonly status: string;
  readonly notBefore: Date;
}

/**
 * Whether somebody who proved who they are at a time (seconds) is still signed in: not when the
 * user was stopped or changed the password since (DESIGN §6: nothing old revives).
 */
export const isSignedInSince = (user: Standing | undefined, seconds: number): boolean =>
  user?.status === 'active' && Math.floor(user.notBefore.getTime() / 1000) < seconds;
