/**
 * A token id (`jti`) is a path: the authority the token hangs on, then the grant, then one segment
 * per token (`cns_A.gnt_B.t1`, exchanged once: `cns_A.gnt_B.t1.t2`; agent alone: `crd_C.t1`). Every
 * prefix is something that can be stopped, so lineage needs no table. To everyone but Behalf and
 * its verifier a token id is opaque.
 */

/** cns, gnt and one segment for each of the deepest allowed chain's tokens, with room to spare. */
const SEGMENTS_MAX = 16;
const SEGMENT = '[A-Za-z0-9_-]{1,64}';
const TOKEN_ID = new RegExp(`^${SEGMENT}(?:\\.${SEGMENT}){1,${SEGMENTS_MAX - 1}}$`);

/** A new token id under its parent: a consent and grant, a credential, or another token's id. */
export const childTokenId = (parent: string, segment: string): string => `${parent}.${segment}`;

/** Whether this can be one of Behalf's token ids: bounded, and each segment an id. */
export const isTokenId = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= SEGMENTS_MAX * 65 && TOKEN_ID.test(value);

/** Every prefix of the path, shortest first, the token id itself last. */
export function tokenIdPrefixes(tokenId: string): string[] {
  const prefixes: string[] = [];
  for (let at = tokenId.indexOf('.'); at !== -1; at = tokenId.indexOf('.', at + 1)) {
    prefixes.push(tokenId.slice(0, at));
  }
  prefixes.push(tokenId);
  return prefixes;
}

/** The consent and grant a token id hangs on; none for an agent's or service's own token. */
export function lineageOf(tokenId: string): { consentId: string; grantId: string } | undefined {
  const [consentId = '', grantId = ''] = tokenId.split('.');
  if (!consentId.startsWith('cns_') || !grantId.startsWith('gnt_')) return undefined;
  return { consentId, grantId };
}
