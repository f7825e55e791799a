/**
 * How clients may prove themselves, as discovery says it (RFC 8414 §2, RFC 8705 §5): what is on, and
 * nothing that is off. The engine always knows certificates; without a proxy that tells of them there
 * are none.
 */
import type { Config } from '../config.js';
import { issuerPath } from '../http/mount.js';
import { ATTESTATION_AUTH } from './attestation.js';

const ALWAYS = ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'] as const;

/** RFC 8705 §5: where a client authenticates, or shows the certificate its token is bound to. */
const ALIASED = {
  token_endpoint: '/token',
  pushed_authorization_request_endpoint: '/par',
  introspection_endpoint: '/introspect',
  revocation_endpoint: '/revoke',
  userinfo_endpoint: '/userinfo',
};

export function authMetadata(
  config: Pick<Config, 'issuer' | 'clientCertificates' | 'attestation'>,
): Readonly<Record<string, unknown>> {
  const { issuer, clientCertificates: certificates, attestation } = config;
  const { origin, verifiedHeader } = certificates ?? {};
  return {
    token_endpoint_auth_methods_supported: [
      ...ALWAYS,
      ...(verifiedHeader === undefined ? [] : ['tls_client_auth']),
      ...(certificates === undefined ? [] : ['self_signed_tls_client_auth']),
      ...(attestation === true ? [ATTESTATION_AUTH] : []),
    ],
    tls_client_certificate_bound_access_tokens: certificates === undefined ? undefined : true,
    mtls_endpoint_aliases:
      origin === undefined
        ? undefined
        : Object.fromEntries(
            Object.entries(ALIASED).map(([name, path]) => [
              name,
              `${origin}${issuerPath(issuer)}${path}`,
            ]),
          ),
  };
}
