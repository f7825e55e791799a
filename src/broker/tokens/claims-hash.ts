/**
 * What of a token is recorded beside its id: a hash of all its claims but the times, which the gate sets
 * itself. A token with any other claim, or without one, is not the one that was issued (DESIGN §5).
 */
import { createHash } from 'node:crypto';
import type { AccessTokenClaims } from '../../protocol/index.js';
import { canonical } from '../delegation/terms.js';

export function claimsHash(claims: Omit<AccessTokenClaims, 'iat' | 'exp'>): string {
  const { iat: _iat, exp: _exp, ...timeless } = claims as AccessTokenClaims;
  return createHash('sha256').update(canonical(timeless)).digest('base64url');
}
