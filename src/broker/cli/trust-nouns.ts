/** The nouns of whom else is believed: trusted issuers, and whom they mean. */
import { at, common, type Noun } from './noun.js';

const trustedIssuer: Noun = {
  name: 'trusted-issuer',
  summary: 'others whose signed word is taken; keys and rules by --data',
  verbs: common({
    path: '/trusted-issuers',
    columns: ['issuer', 'name', 'purposes', 'jwks_uri', 'status'],
    filters: [{ name: 'status' }, { name: 'purpose' }, { name: 'q' }],
    first: [{ name: 'issuer' }],
    fields: [{ name: 'name' }, { name: 'purposes', kind: 'list' }, { name: 'jwks_uri' }],
  }),
};

const pathOf = (id: string, ...rest: readonly string[]): string =>
  `${at('users', id)}/identities${at(...rest)}`;

/** Of a user. */
export const IDENTITY_NOUN: Noun = {
  name: 'identity',
  summary: 'by which subjects trusted issuers mean them',
  verbs: [
    {
      usage: 'list <id>',
      summary: 'list them',
      columns: ['issuer', 'subject', 'created_at', 'created_by'],
      ask: ([id = '']) => ({ method: 'get', path: pathOf(id) }),
    },
    {
      usage: 'add <id> <issuer> <subject>',
      summary: 'say whom an issuer means by a subject',
      ask: ([id = '', issuer, subject]) => ({
        method: 'post',
        path: pathOf(id),
        body: { issuer, subject },
      }),
    },
    {
      usage: 'remove <id> <issuer> <subject>',
      summary: 'say that it means them no more; what was obtained so stops',
      ask: ([id = '', issuer = '', subject = '']) => ({
        method: 'delete',
        path: pathOf(id, issuer, subject),
      }),
    },
  ],
};

export const TRUST_NOUNS: readonly Noun[] = [trustedIssuer];
