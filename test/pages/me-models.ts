// The user's own pages, in every state, with the words of others where others' words go.
import type { Language } from '../../src/broker/http/texts/index.js';
import { renderMyConsent, renderStop } from '../../src/broker/me/consent-views.js';
import { renderPassword, renderPasswordChanged } from '../../src/broker/me/password-views.js';
import { renderReceipt } from '../../src/broker/me/receipt-views.js';
import {
  renderSessions,
  renderSignedOutEverywhere,
  renderSignOutEverywhere,
} from '../../src/broker/me/session-views.js';
import type { MyConsent } from '../../src/broker/me/store.js';
import { renderActing } from '../../src/broker/me/views.js';
import type { LiveSession } from '../../src/broker/sessions/store.js';
import { renderSignIn } from '../../src/broker/users/sign-in-views.js';

const at = (day: number): Date => new Date(Date.UTC(2026, 10, day, 18, 5));
const NOW_MS = at(21).getTime();

/** What others named; every one of them may be anything. */
export interface Others {
  readonly user: string;
  readonly email: string;
  readonly agent: string;
  readonly owner: string;
  readonly client: string;
  readonly place: string;
  readonly title: string;
  readonly browser: string;
  readonly sentence: string;
}

export const OTHERS: Others = {
  user: 'Ana Example',
  email: 'ana@example.com',
  agent: 'Expense Bot',
  owner: 'Acme Ops',
  client: 'Desk Companion',
  place: 'Finance Tools',
  title: 'Read your invoices',
  browser: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  sentence:
    'Expense Bot, for Ana Example, through Desk Companion, was allowed list_invoices (invoices:list) at Finance Tools',
};

const signedOf = ({ user, email }: Others) => ({
  name: user,
  email,
  sessionId: 'ses_AAAAAAAAAAAAAAAAAAAA',
  form: 'c2VhbGVk.bWFj',
});

const consentOf = (others: Others, more: Partial<MyConsent> = {}): MyConsent => ({
  id: 'cns_AAAAAAAAAAAAAAAAAAAA',
  userId: 'usr_ana',
  agentId: 'agt_expenses',
  agentName: others.agent,
  agentOwner: others.owner,
  agentStatus: 'active',
  clientId: 'cli_desk',
  clientName: others.client,
  resource: 'https://finance.example/mcp',
  resourceName: others.place,
  granted: ['invoices:list', 'openid'],
  titles: { 'invoices:list': others.title },
  helpers: 0,
  createdAt: at(1),
  expiresAt: at(30),
  endedAt: undefined,
  endedReason: undefined,
  endedBy: undefined,
  lastUsedAt: at(20),
  ...more,
});

/** By name. */
export function mePagesIn(
  language: Language,
  others: Others = OTHERS,
): Readonly<Record<string, string>> {
  const page = { signed: signedOf(others), nowMs: NOW_MS };
  const first = consentOf(others);
  const second = consentOf(others, {
    id: 'cns_BBBBBBBBBBBBBBBBBBBB',
    resourceName: 'Reports',
    helpers: 2,
    lastUsedAt: undefined,
  });
  const paused = consentOf(others, { id: 'cns_C', agentId: 'agt_paused', agentStatus: 'paused' });
  const plain = consentOf(others, {
    id: 'cns_D',
    agentId: '',
    agentOwner: undefined,
    resource: '',
    granted: ['openid', 'email'],
  });
  const ended = { endedAt: at(19), endedReason: 'stopped by the user' };
  const over = [
    consentOf(others, { id: 'cns_E', ...ended, endedBy: 'usr_ana' }),
    consentOf(others, { id: 'cns_F', ...ended, endedBy: 'admin' }),
    consentOf(others, { id: 'cns_G', ...ended, endedReason: 'replaced' }),
    consentOf(others, { id: 'cns_H', expiresAt: at(18) }),
  ];
  const history = [20, 19, 1].map((day) => ({ at: at(day), sentence: others.sentence }));
  const receipt = {
    endedAt: at(21),
    consents: 2,
    grants: 2,
    accessTokens: 3,
    exchangedTokens: 1,
    helperChains: 1,
    refreshTokens: 2,
    confirmed: {
      servers: [
        { name: others.place, since: at(21), seenAt: at(21) },
        { name: 'Notes', since: undefined, seenAt: at(20) },
      ],
      others: { by: 2, of: 3 },
    },
  };
  const nothing = {
    ...receipt,
    consents: 0,
    grants: 0,
    accessTokens: 0,
    exchangedTokens: 0,
    helperChains: 0,
    refreshTokens: 0,
  };
  const session: LiveSession = {
    id: page.signed.sessionId,
    userAgent: others.browser,
    address: '192.0.2.7',
    signedInAt: at(20),
    lastSeenAt: at(21),
  };
  const elsewhere = { ...session, id: 'ses_B', userAgent: null, address: null, signedInAt: at(2) };
  const live = [first, second, paused, plain];
  return {
    'me-sign-in': renderSignIn({ form: 'c2VhbGVk.bWFj', action: '/me/sign-in' }, language),
    'me-acting': renderActing({ ...page, live, over }, language),
    'me-nothing': renderActing({ ...page, live: [], over: [] }, language),
    'me-consent': renderMyConsent(
      { ...page, consent: second, history, earlier: '/me/consents/cns_B?before=7' },
      language,
    ),
    'me-consent-plain': renderMyConsent({ ...page, consent: plain, history: [] }, language),
    'me-consent-over': renderMyConsent(
      { ...page, consent: over[1] as MyConsent, history },
      language,
    ),
    'me-stop': renderStop({ ...page, actor: '', consents: live }, language),
    'me-stop-actor': renderStop(
      { ...page, actor: 'agt_expenses', consents: [first, second] },
      language,
    ),
    'me-receipt': renderReceipt({ ...page, receipt }, language),
    'me-receipt-none': renderReceipt({ ...page, receipt: nothing }, language),
    'me-sessions': renderSessions(
      { signed: page.signed, sessions: [session, elsewhere] },
      language,
    ),
    'me-everywhere': renderSignOutEverywhere(page.signed, language),
    'me-everywhere-done': renderSignedOutEverywhere({ browsers: 2, receipt: undefined }, language),
    'me-everywhere-stopped': renderSignedOutEverywhere({ browsers: 1, receipt }, language),
    'me-everywhere-none': renderSignedOutEverywhere({ browsers: 1, receipt: nothing }, language),
    'me-password': renderPassword({ signed: page.signed }, language),
    'me-password-wrong': renderPassword({ signed: page.signed, problem: 'wrong' }, language),
    'me-password-unfit': renderPassword({ signed: page.signed, problem: 'unfit' }, language),
    'me-password-throttled': renderPassword(
      { signed: page.signed, problem: 'throttled', retryAfterSeconds: 32 },
      language,
    ),
    'me-password-changed': renderPasswordChanged(language),
  };
}
