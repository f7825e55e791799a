/** Lives and sizes of tokens; each number with its reason. */

/** No resource may ask for longer: a revocation fact must be kept that long. */
export const TOKEN_TTL_MAX_SECONDS = 3600;
/** A fact is forgotten when no token it could stop can be alive: greatest life plus skew. */
export const FACT_LIFE_SECONDS = TOKEN_TTL_MAX_SECONDS + 120;
export const TOKEN_TTL_MIN_SECONDS = 30;
/** An actor token is used at once, or not at all (DESIGN §3). */
export const ACTOR_TOKEN_TTL_SECONDS = 120;
/** A helper takes work up at once, or not at all (DESIGN §8c). */
export const HAND_OFF_TTL_SECONDS = 120;
/** ASVS 10.4.3, OB9. */
export const CODE_TTL_SECONDS = 60;
/** The longest a delegation may last before the user is asked again, unless the operator says. */
export const DELEGATION_MAX_DEFAULT_SECONDS = 30 * 24 * 3600;
/** An hour is the shortest anybody works in; a year the longest anybody remembers. */
export const DELEGATION_MAX_RANGE = { min: 3600, max: 366 * 24 * 3600 } as const;
/** First half of the advisory lock of the issue gate; the second is the schema's hash. */
export const GATE_LOCK = 0x6265_6761;
/** Access tokens live this long unless their resource asks otherwise. */
export const ACCESS_TOKEN_TTL_SECONDS = 300;
/** A browser has this long to sign in and decide. */
export const INTERACTION_TTL_SECONDS = 15 * 60;
export const SESSION_TTL_SECONDS = 14 * 24 * 3600;
/** Never outlives its grant; rotation starts it again. */
export const REFRESH_TOKEN_TTL_SECONDS = 14 * 24 * 3600;
/** How long anybody may keep the published keys (RFC 9111) without asking again. */
export const JWKS_MAX_AGE_SECONDS = 300;
/**
 * A signing key is published this long before it signs: a verifier keeps keys for 600 s (ours, and
 * jose's), which it may have had from a cache that kept them for `JWKS_MAX_AGE_SECONDS`; the rest is
 * for clocks and for processes slow to hear of the key.
 */
export const KEY_LEAD_SECONDS = 1200;
export const KEY_ROTATION_DAYS = 90;
/** How often a process looks whether keys are due, or changed without its hearing of it. */
export const KEY_UPKEEP_MS = 60_000;
/** For clients that lost an answer, or whose processes share one refresh token. */
export const REFRESH_GRACE_SECONDS = 60;
/** A registration (RFC 7591) that nobody used is gone after this long. */
export const REGISTRATION_UNUSED_SECONDS = 24 * 3600;
/** One that was used, after this long without: longer than any delegation lasts by default. */
export const REGISTRATION_DISUSED_SECONDS = 90 * 24 * 3600;
/** Registrations in an hour: from one network (an office, behind one address), and from all. */
export const REGISTRATIONS_PER_HOUR = { network: 100, total: 2000 } as const;
/** Registrations that are alive at once: what anybody can make the database hold. */
export const REGISTRATIONS_MAX = 50_000;
/** An initial access token is handed to somebody who is waiting for it, or to a pipeline that ships. */
export const INITIAL_TOKEN_SECONDS = { default: 24 * 3600, max: 366 * 24 * 3600 } as const;
