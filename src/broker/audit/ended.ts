/** The receipt of a stop in words, as it stands in the stop's event (`revocation/receipt.ts`). */

/** One, and more of them. */
const WORDS = {
  consents: ['consent', 'consents'],
  grants: ['authorization', 'authorizations'],
  access_tokens: ['access token', 'access tokens'],
  helper_chains: ['helper chain', 'helper chains'],
  refresh_tokens: ['refresh token', 'refresh tokens'],
} as const;

/** "; the stop ended 2 access tokens, 1 helper chain and 1 refresh token"; nothing, where nothing did. */
export function whatEnded(detail: Readonly<Record<string, unknown>>): string {
  const receipt = detail.receipt as Partial<Record<string, unknown>> | undefined;
  if (typeof receipt !== 'object' || receipt === null) return '';
  const parts = Object.entries(WORDS).flatMap(([name, [one, more]]) => {
    const count = Number(receipt[name] ?? 0);
    return count > 0 ? [`${count} ${count === 1 ? one : more}`] : [];
  });
  if (parts.length === 0) return '';
  const last = parts.pop();
  return `; the stop ended ${parts.length === 0 ? last : `${parts.join(', ')} and ${last}`}`;
}
