/** Under which key the engine's values are stored: never the value itself. */
import { createHash } from 'node:crypto';

export const artifactKey = (model: string, value: string): string =>
  createHash('sha256').update(`${model}\n${value}`).digest('base64url');

/** A browser session goes by its uid, which stays while its cookie's value changes. */
export const sessionKey = (uid: string): string => artifactKey('Session', uid);
