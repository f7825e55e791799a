/** Secrets, keys, certificates and workloads of an agent or a client, one kind for each option. */
import { at, type Field, jsonOf, type Noun } from './noun.js';

export const EXPIRING: Field = {
  name: 'expiring_within_seconds',
  help: 'only those one of whose credentials expires within so many seconds',
};

const CREDENTIAL_FIELDS: readonly Field[] = [
  { name: 'name', help: 'what you call it' },
  { name: 'expires_at', help: 'ISO 8601: proves nothing from then on' },
];

function newCredential({
  jwk,
  certificate,
  rule,
  issuer,
  workload,
  ...rest
}: Readonly<Record<string, unknown>>): Record<string, unknown> {
  if (jwk !== undefined) return { kind: 'jwk', jwk: jsonOf('--jwk', String(jwk)), ...rest };
  if (issuer !== undefined) return { kind: 'attestation', issuer, ...rest };
  if (workload !== undefined) {
    return { kind: 'workload', rule: jsonOf('--workload', String(workload)), ...rest };
  }
  if (rule !== undefined) {
    return { kind: 'certificate', rule: jsonOf('--rule', String(rule)), ...rest };
  }
  return certificate === undefined
    ? { kind: 'secret', ...rest }
    : { kind: 'certificate', certificate, ...rest };
}

const OTHER_FIELDS: readonly Field[] = [
  { name: 'certificate', help: 'a certificate as PEM, which alone proves it' },
  { name: 'issuer', help: 'the attester whose word is taken for instances of an agent' },
  { name: 'rule', help: 'the name a certificate must hold, as JSON: {"san_dns":"agent.example"}' },
  {
    name: 'workload',
    help: 'whose platform says who it is, as JSON: {"issuer": …, "subject": …}',
  },
];

export const credential = (noun: 'agents' | 'clients'): Noun => {
  const pathOf = (id: string) => `${at(noun, id)}/credentials`;
  return {
    name: 'credential',
    summary: 'secrets and keys that prove it',
    verbs: [
      {
        usage: 'list <id>',
        summary: 'list credentials, never their secrets',
        fields: [EXPIRING],
        columns: ['id', 'kind', 'name', 'kid', 'created_at', 'expires_at', 'last_used_at'],
        ask: ([id = ''], values) => ({
          method: 'get',
          path: pathOf(id),
          query: values as Record<string, string>,
        }),
      },
      {
        usage: 'add <id>',
        summary: 'add a generated secret, shown this once, or a key, certificate or workload',
        fields: [
          { name: 'jwk', help: 'a public key as JSON' },
          ...OTHER_FIELDS,
          ...CREDENTIAL_FIELDS,
        ],
        ask: ([id = ''], values) => ({
          method: 'post',
          path: pathOf(id),
          body: newCredential(values),
        }),
      },
      {
        usage: 'rotate <id> <credential>',
        summary: 'add one in place of another, which stays good for a while',
        fields: [
          { name: 'jwk', help: 'a public key as JSON; otherwise a secret is generated' },
          {
            name: 'overlap_seconds',
            kind: 'number',
            help: 'how long the old one stays good: 3600',
          },
          ...OTHER_FIELDS,
          ...CREDENTIAL_FIELDS,
        ],
        ask: ([id = '', replaces = ''], values) => ({
          method: 'post',
          path: pathOf(id),
          body: { overlap_seconds: 3600, ...newCredential(values), replaces },
        }),
      },
      {
        usage: 'remove <id> <credential>',
        summary: 'remove a credential; what it obtained stops',
        ask: ([id = '', one = '']) => ({ method: 'delete', path: `${pathOf(id)}${at(one)}` }),
      },
    ],
  };
};
