/** Ids: a prefix that says what it is, then random characters from the alphabet MCP SDKs survive. */
import { randomBytes } from 'node:crypto';

/** 120 random bits: at least the 96 that DESIGN §2 asks for. */
const ID_BYTES = 15;
/** 96 bits: unique under its parent, which is unique itself. */
const SEGMENT_BYTES = 12;
/** 256 bits. */
const SECRET_BYTES = 32;

export type IdPrefix = 'agt' | 'cli' | 'usr' | 'cns' | 'gnt' | 'crd' | 'ses' | 'iat';

export const newId = (prefix: IdPrefix): string =>
  `${prefix}_${randomBytes(ID_BYTES).toString('base64url')}`;

/** One token's own segment of its id (`src/protocol/token-id.ts`). */
export const newTokenSegment = (): string => randomBytes(SEGMENT_BYTES).toString('base64url');

/** A generated secret: shown once, stored as a hash. */
export const newSecret = (): string => randomBytes(SECRET_BYTES).toString('base64url');

/** Ids that operators choose: the prefix and at most 100 characters that need no encoding. */
export const chosenIdPattern = (prefix: 'agt' | 'cli'): RegExp =>
  new RegExp(`^${prefix}_[A-Za-z0-9_-]{1,100}$`);
