/**
 * The certificate of a client's TLS connection (RFC 8705), as the proxy that ended the connection tells
 * of it in a header: RFC 9440 `Client-Cert`, or PEM percent-encoded, as nginx and HAProxy write it.
 * Believed from named peers only, and taken away before anything else reads the request (P7, PP5).
 */
import { createHash, X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

export interface CertificateSettings {
  /** Lower case. */
  readonly header: string;
  /** Where the proxy says that the chain was verified; absent: nobody says so. */
  readonly verifiedHeader?: string | undefined;
  /** Addresses and CIDR blocks of the proxies. */
  readonly from: readonly string[];
  /** Where clients with certificates find the endpoints (RFC 8705 §5); absent: where everybody does. */
  readonly origin?: string | undefined;
}

/** A certificate somebody showed in their TLS handshake. */
export interface ClientCertificate {
  readonly x509: X509Certificate;
  /** RFC 8705 §3.1 `x5t#S256`. */
  readonly thumbprint: string;
  /** Whether the proxy verified its chain: anybody can write a certificate with any name in it. */
  readonly verified: boolean;
}

/** Nothing a client sends for itself, and nothing we go by otherwise. */
const HEADER = /^(client-cert|x-[a-z0-9-]{1,60})$/;
/** nginx and Apache; HAProxy. */
const VERIFIED = new Set(['SUCCESS', '0']);

/** What is wrong with settings, each a sentence that begins with the variable. */
export function certificateProblems(settings: CertificateSettings, proxies: number): string[] {
  const { header, verifiedHeader, from, origin } = settings;
  const url = origin === undefined ? undefined : URL.parse(origin);
  const rules: ReadonlyArray<readonly [boolean, string]> = [
    [!HEADER.test(header), '_HEADER must be "client-cert" or begin with "x-"'],
    [
      verifiedHeader !== undefined && (!HEADER.test(verifiedHeader) || verifiedHeader === header),
      '_VERIFIED_HEADER must begin with "x-", and be another one',
    ],
    [from.length === 0, '_FROM must name the proxies whose header is believed'],
    [
      from.some((entry) => !addTo(new BlockList(), entry)),
      '_FROM must hold addresses or CIDR blocks',
    ],
    [proxies === 0, '_HEADER needs BEHALF_TRUSTED_PROXIES: without a proxy anybody could send it'],
    [
      origin !== undefined && (url?.protocol !== 'https:' || url.origin !== origin),
      '_ORIGIN must be an https origin',
    ],
  ];
  return rules
    .filter(([wrong]) => wrong)
    .map(([, problem]) => `BEHALF_CLIENT_CERTIFICATE${problem}`);
}

function addTo(list: BlockList, entry: string): boolean {
  const [address = '', prefix, ...more] = entry.split('/');
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  if (isIP(address) === 0 || more.length > 0) return false;
  if (prefix === undefined) list.addAddress(address, family);
  else {
    if (!/^\d{1,3}$/.test(prefix) || Number(prefix) > (family === 'ipv6' ? 128 : 32)) return false;
    list.addSubnet(address, Number(prefix), family);
  }
  return true;
}

/** Reads the headers and takes them away, whoever sent them. */
export function certificateReader(
  settings: CertificateSettings | undefined,
): (req: IncomingMessage) => ClientCertificate | undefined {
  if (settings === undefined) return () => undefined;
  const { header, verifiedHeader = '' } = settings;
  const peers = new BlockList();
  for (const entry of settings.from) addTo(peers, entry);
  return ({ headers, socket }) => {
    const { [header]: told, [verifiedHeader]: verified } = headers;
    delete headers[header];
    delete headers[verifiedHeader];
    const x509 = isPeer(peers, socket.remoteAddress) ? parse(String(told ?? '')) : undefined;
    return (
      x509 && { x509, thumbprint: thumbprintOf(x509), verified: VERIFIED.has(String(verified)) }
    );
  };
}

function isPeer(peers: BlockList, address = ''): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '');
  return isIP(plain) !== 0 && peers.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4');
}

/** RFC 8705 §3.1. */
export const thumbprintOf = ({ raw }: X509Certificate): string =>
  createHash('sha256').update(raw).digest('base64url');

/** RFC 9440 §2.1: a byte sequence (RFC 8941 §3.3.5). */
const BYTE_SEQUENCE = /^:([A-Za-z0-9+/]+={0,2}):$/;

/** One certificate, or none: what is no certificate, or several, was not shown. */
function parse(text: string): X509Certificate | undefined {
  const [, base64] = BYTE_SEQUENCE.exec(text) ?? [];
  try {
    return base64 === undefined
      ? parsePem(decodeURIComponent(text))
      : new X509Certificate(Buffer.from(base64, 'base64'));
  } catch {
    return undefined;
  }
}

const PEM = /^\s*-----BEGIN CERTIFICATE-----\s*([A-Za-z0-9+/=\s]+)\s*-----END CERTIFICATE-----\s*$/;

/** RFC 7468 §5: exactly one. */
export function parsePem(text: string): X509Certificate | undefined {
  const [, base64] = PEM.exec(text) ?? [];
  if (base64 === undefined) return undefined;
  try {
    return new X509Certificate(Buffer.from(base64, 'base64'));
  } catch {
    return undefined;
  }
}
