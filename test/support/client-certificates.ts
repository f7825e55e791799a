// X.509 certificates written octet by octet (RFC 5280): what a client shows in its TLS handshake, and how
// a proxy tells of it. Signed by their own keys: whether a chain is good is the proxy's word.
import { generateKeyPairSync, sign, X509Certificate } from 'node:crypto';

const der = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
};
const sequence = (...parts: readonly Uint8Array[]) => der(0x30, ...parts);
const oid = (...octets: readonly number[]) => der(0x06, Buffer.from(octets));
const text = (tag: number, value: string) => der(tag, Buffer.from(value));

const ATTRIBUTES = { C: 6, CN: 3, O: 10 } as const;
type Attribute = keyof typeof ATTRIBUTES;

export interface CertificateOptions {
  /** As it is encoded: the country usually first. */
  readonly subject?: ReadonlyArray<readonly [Attribute, string]>;
  readonly dns?: string;
  readonly uri?: string;
  readonly email?: string;
  readonly ip?: string;
  readonly validFrom?: Date;
  readonly validTo?: Date;
}

const nameOf = (subject: CertificateOptions['subject'] = []) =>
  sequence(
    ...subject.map(([type, value]) =>
      der(0x31, sequence(oid(0x55, 4, ATTRIBUTES[type]), text(0x0c, value))),
    ),
  );

const utcTime = (at: Date) => text(0x17, `${at.toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`);

function alternativeNames({ dns, uri, email, ip }: CertificateOptions): Buffer {
  const names = [
    ...(email === undefined ? [] : [text(0x81, email)]),
    ...(dns === undefined ? [] : [text(0x82, dns)]),
    ...(uri === undefined ? [] : [text(0x86, uri)]),
    ...(ip === undefined ? [] : [der(0x87, Buffer.from(ip.split('.').map(Number)))]),
  ];
  if (names.length === 0) return Buffer.alloc(0);
  const extension = sequence(oid(0x55, 29, 17), der(0x04, sequence(...names)));
  return der(0xa3, sequence(extension));
}

const HOUR_MS = 3600_000;
const ECDSA_SHA256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2));

export interface TestCertificate {
  readonly x509: X509Certificate;
  readonly pem: string;
  /** RFC 8705 §3.1 */
  readonly thumbprint: string;
  /** RFC 9440 §2.1 */
  readonly clientCert: string;
}

export function certificate(options: CertificateOptions = {}): TestCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { validFrom = new Date(Date.now() - HOUR_MS), validTo = new Date(Date.now() + HOUR_MS) } =
    options;
  const name = nameOf(options.subject);
  const signed = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.from([1])),
    ECDSA_SHA256,
    name,
    sequence(utcTime(validFrom), utcTime(validTo)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    alternativeNames(options),
  );
  const signature = der(0x03, Buffer.from([0]), sign('sha256', signed, privateKey));
  const x509 = new X509Certificate(sequence(signed, ECDSA_SHA256, signature));
  return {
    x509,
    pem: x509.toString(),
    thumbprint: Buffer.from(x509.fingerprint256.replaceAll(':', ''), 'hex').toString('base64url'),
    clientCert: `:${x509.raw.toString('base64')}:`,
  };
}
