/** The nouns of what users allowed, what is stopped and what happened. */
import { at, list, type Noun, type Verb } from './noun.js';

const names = (...all: readonly string[]) => all.map((name) => ({ name }));

const show = (path: string): Verb => ({
  usage: 'show <id>',
  alias: 'get',
  summary: 'show one',
  ask: ([id = '']) => ({ method: 'get', path: path + at(id) }),
});

const end = (path: string, summary: string): Verb => ({
  usage: 'end <id>',
  summary,
  fields: names('reason'),
  ask: ([id = ''], { reason }) => ({
    method: 'delete',
    path: path + at(id),
    ...(reason === undefined ? {} : { query: { reason: String(reason) } }),
  }),
});

const WHOSE = names('user', 'agent', 'client', 'resource');
const LIVE = { name: 'live', kind: 'switch', help: 'neither ended nor expired' } as const;

const consent: Noun = {
  name: 'consent',
  summary: 'what users allowed',
  verbs: [
    list(
      '/consents',
      ['id', 'user_id', 'agent_id', 'client_id', 'resource', 'expires_at', 'ended_at'],
      [...WHOSE, LIVE],
      'list them, newest first',
    ),
    show('/consents'),
    end('/consents', 'withdraw one; everything it gave stops'),
    {
      usage: 'end-all',
      summary: 'end every consent of a user, agent, client or resource; --dry-run only counts',
      fields: [...WHOSE, { name: 'reason' }, { name: 'dry_run', kind: 'switch' }],
      ask: (_args, body) => ({ method: 'post', path: '/consents/end', body }),
    },
  ],
};

const grant: Noun = {
  name: 'grant',
  summary: 'authorizations under a consent',
  verbs: [
    list(
      '/grants',
      ['id', 'consent_id', 'user_id', 'agent_id', 'client_id', 'scopes', 'ended_at'],
      [...WHOSE, { name: 'consent' }, LIVE],
      'list them, newest first',
    ),
    show('/grants'),
    end('/grants', 'end one; its tokens stop'),
  ],
};

const revocation: Noun = {
  name: 'revocation',
  summary: 'what is stopped',
  verbs: [
    {
      ...list(
        '/revocations',
        ['id', 'key', 'revoked_at', 'always', 'until', 'by', 'reason'],
        [...names('key', 'by'), { name: 'always', kind: 'switch' }],
        'list facts that still stop something, newest first',
      ),
      isDefault: true,
    },
    {
      ...show('/revocations'),
      summary: 'show one, what its stop ended, and which servers have confirmed it since when',
    },
  ],
};

const AUDIT_FILTERS = [
  ...names('type', 'agent', 'user', 'client', 'resource', 'grant', 'consent', 'by', 'request'),
  { name: 'actor', help: 'an agent or service, anywhere in a chain' },
  { name: 'jti', help: 'a token, and everything exchanged from it, or refused to be' },
  { name: 'about', help: 'a role, credential, signing key or session, or whose permission' },
  { name: 'since', help: 'as 2026-01-31T12:00:00Z' },
  { name: 'until', help: 'not of this instant any more' },
];
const events = list(
  '/audit',
  ['at', 'sentence'],
  AUDIT_FILTERS,
  'what happened, newest first, in sentences',
);

const audit: Noun = {
  name: 'audit',
  summary: events.summary,
  verbs: [
    {
      ...events,
      isDefault: true,
      streams: true,
      ask: (args, { user, ...values }) =>
        events.ask(args, user === undefined ? values : { ...values, sub: user }),
    },
    {
      usage: 'verify',
      summary: 'check that nothing was changed, removed, reordered or cut off; exits 1 if it was',
      fields: [{ name: 'checkpoints', kind: 'list', help: 'from the log: must still be there' }],
      ask: (_args, body) => ({ method: 'post', path: '/audit/verify', body }),
      isFailure: (answer) => (answer as { findings: unknown[] }).findings.length > 0,
    },
  ],
};

export const HISTORY_NOUNS: readonly Noun[] = [consent, grant, revocation, audit];
