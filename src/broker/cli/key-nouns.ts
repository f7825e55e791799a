/** `behalf keys`: list, rotate, retire a compromised one, seal anew. */
import { at, type Noun } from './noun.js';

const columns = ['kid', 'alg', 'state', 'created_at', 'activated_at', 'retires_at'];

export const KEY_NOUNS: readonly Noun[] = [
  {
    name: 'keys',
    summary: 'signing keys: next, active, retiring, retired',
    verbs: [
      {
        usage: 'list',
        summary: 'list them, newest first',
        columns,
        ask: () => ({ method: 'get', path: '/keys' }),
      },
      {
        usage: 'rotate',
        summary: 'let the next keys take over; the old ones verify until their last token is gone',
        fields: [{ name: 'alg', help: 'only this algorithm' }],
        columns,
        ask: (_args, body) => ({ method: 'post', path: '/keys/rotate', body }),
      },
      {
        usage: 'retire <kid>',
        summary: 'emergency: stop everything this key signed; another takes over at once',
        fields: [
          { name: 'compromised', kind: 'switch', help: 'say that this is what you mean' },
          { name: 'reason', help: 'required' },
        ],
        ask: ([kid = ''], body) => ({ method: 'post', path: `/keys${at(kid)}/retire`, body }),
      },
      {
        usage: 'reseal',
        summary: 'seal under BEHALF_SECRET what BEHALF_SECRET_PREVIOUS sealed',
        ask: () => ({ method: 'post', path: '/keys/reseal' }),
      },
    ],
  },
];
