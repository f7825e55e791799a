/** What discovery says of assertions, where the grant is on. */
export const ID_JAG_PROFILE = 'urn:ietf:params:oauth:grant-profile:id-jag';

/** ID-JAG §7.2: beside the profiles of others. */
export function withAssertions(
  isOn: boolean,
  metadata: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  if (!isOn) return metadata;
  const known = metadata.authorization_grant_profiles_supported;
  const others = Array.isArray(known) ? known : [];
  return { ...metadata, authorization_grant_profiles_supported: [...others, ID_JAG_PROFILE] };
}
