// Certificates for test servers: one self-signed certificate for some names, written as DER by hand,
// since Node can read certificates but not make them.
import { generateKeyPairSync, sign } from 'node:crypto';

export interface TestCertificate {
  readonly key: string;
  readonly cert: string;
}

const tlv = (tag: number, ...parts: readonly Buffer[]): Buffer => {
  const content = Buffer.concat(parts);
  const n = content.length;
  const length = n < 128 ? [n] : n < 256 ? [0x81, n] : [0x82, n >> 8, n & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
};
const sequence = (...parts: Buffer[]) => tlv(0x30, ...parts);
const octets = (content: Buffer) => tlv(0x04, content);
const oid = (hex: string) => tlv(0x06, Buffer.from(hex, 'hex'));

const ECDSA_SHA256 = sequence(oid('2a8648ce3d040302'));
const COMMON_NAME = oid('550403');
const SUBJECT_ALT_NAME = oid('551d11');
const BASIC_CONSTRAINTS = oid('551d13');

const nameOf = (text: string) =>
  sequence(tlv(0x31, sequence(COMMON_NAME, tlv(0x0c, Buffer.from(text)))));

const altName = (name: string): Buffer => {
  if (name === '::1') return tlv(0x87, Buffer.from(`${'00'.repeat(15)}01`, 'hex'));
  if (/^[\d.]+$/.test(name)) return tlv(0x87, Buffer.from(name.split('.').map(Number)));
  return tlv(0x82, Buffer.from(name));
};

/** For these names and addresses, for a century; to be trusted as its own authority. */
export function createCertificate(names: readonly string[]): TestCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const extensions = sequence(
    sequence(SUBJECT_ALT_NAME, octets(sequence(...names.map(altName)))),
    sequence(BASIC_CONSTRAINTS, octets(sequence(tlv(0x01, Buffer.from([0xff]))))),
  );
  const subject = nameOf('Behalf tests');
  const time = (text: string) => tlv(0x18, Buffer.from(text));
  const content = sequence(
    tlv(0xa0, tlv(0x02, Buffer.from([2]))),
    tlv(0x02, Buffer.from([1])),
    ECDSA_SHA256,
    subject,
    sequence(time('20200101000000Z'), time('21200101000000Z')),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa3, extensions),
  );
  const signature = sign('sha256', content, privateKey);
  const der = sequence(content, ECDSA_SHA256, tlv(0x03, Buffer.from([0]), signature));
  // No empty line before the end: OpenSSL reads no such file.
  const lines = der.toString('base64').replace(/(.{64})(?!$)/g, '$1\n');
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
  };
}
