// Pages as data: what the tests and the screenshots show.
import type {
  ConsentPageModel,
  ErrorPageModel,
  ShownScope,
  SignInPageModel,
} from '../../src/broker/http/page-model.js';
import type { HandOverPageModel } from '../../src/broker/provider/hand-over.js';

const scope = (name: string, title: string, more: Partial<ShownScope> = {}): ShownScope => ({
  name,
  title,
  risk: 'read',
  tools: [],
  ticked: more.risk !== 'destructive',
  ...more,
});

export const AGENT_CONSENT: ConsentPageModel = {
  user: { name: 'Ana Pereira', email: 'ana@example.com' },
  agent: {
    id: 'agt_expense',
    name: 'Expense Bot',
    owner: 'Acme Finance Operations',
    purpose: 'Files expense reports from the receipts in your inbox.',
    description: 'Reads receipts, fills in the report, asks you before it submits.',
  },
  client: { id: 'cli_desk', name: 'Desk Companion' },
  redirect: { kind: 'web', display: 'desk.example' },
  resource: { identifier: 'https://finance.example/mcp', name: 'Finance Tools' },
  scopes: [
    scope('invoices:list', 'List your invoices', { tools: ['list_invoices'] }),
    scope('invoices:read', 'Read your invoices', {
      description: 'Amounts, dates, suppliers and the attached documents.',
      tools: ['get_invoice', 'search_invoices', 'export_csv', 'get_attachment'],
    }),
    scope('reports:write', 'Create and change expense reports', {
      risk: 'write',
      tools: ['create_report', 'update_report'],
    }),
    scope('reports:delete', 'Delete expense reports', {
      description: 'Deleted reports cannot be brought back.',
      risk: 'destructive',
      tools: ['delete_report'],
    }),
    scope('openid', 'Know that it is you'),
    scope('email', 'See your e-mail address'),
  ],
  takenAway: [
    { name: 'payments:send', title: 'Send payments', by: ['agent'] },
    { name: 'ledger:close', title: 'Close the books', by: ['user', 'client'] },
  ],
  durations: [
    { seconds: 2_592_000, label: '30 days' },
    { seconds: 86_400, label: '1 day' },
    { seconds: 3600, label: '1 hour' },
  ],
  shown: 'c2VhbGVk.bWFj',
  actions: { decide: '/interaction/u1/decision', switchUser: '/interaction/u1/switch-user' },
};

const { agent: _agent, ...withoutAgent } = AGENT_CONSENT;

export const CLIENT_CONSENT: ConsentPageModel = {
  ...withoutAgent,
  client: { id: 'cli_editor', name: 'Code Editor' },
  redirect: { kind: 'loopback', display: '127.0.0.1:7777' },
  scopes: AGENT_CONSENT.scopes.slice(0, 3),
  takenAway: [],
};

const { resource: _resource, ...withoutResource } = withoutAgent;

export const IDENTITY_CONSENT: ConsentPageModel = {
  ...withoutResource,
  redirect: { kind: 'app', display: 'com.example.notes:' },
  scopes: [
    scope('openid', 'Know that it is you'),
    scope('profile', 'See your name'),
    scope('email', 'See your e-mail address'),
  ],
  takenAway: [],
};

/** Names as long as the registry lets them be, without a place to break. */
const LONG = 'Unbreakable'.repeat(20);
export const LONG_CONSENT: ConsentPageModel = {
  ...AGENT_CONSENT,
  user: { name: LONG, email: `${LONG}@example.com` },
  agent: { id: LONG, name: LONG, owner: LONG },
  client: { id: LONG, name: LONG },
  redirect: { kind: 'web', display: `${LONG}.example` },
  resource: { identifier: LONG, name: LONG },
  scopes: [scope(LONG, LONG, { description: LONG, tools: [LONG] })],
  takenAway: [{ name: `${LONG}2`, title: LONG, by: ['resource'] }],
};

export const SIGN_IN: SignInPageModel = {
  client: { id: 'cli_desk', name: 'Desk Companion' },
  agent: { name: 'Expense Bot' },
  email: 'ana@example.com',
  form: 'c2VhbGVk.bWFj',
  action: '/interaction/u1/sign-in',
};

export const PLAIN_SIGN_IN: SignInPageModel = {
  client: SIGN_IN.client,
  form: SIGN_IN.form,
  action: SIGN_IN.action,
};

export const WRONG_SIGN_IN: SignInPageModel = { ...SIGN_IN, problem: 'wrong' };
export const THROTTLED_SIGN_IN: SignInPageModel = {
  ...SIGN_IN,
  problem: 'throttled',
  retryAfterSeconds: 32,
};

export const HAND_OVER: HandOverPageModel = {
  action: 'https://desk.example/callback',
  fields: [['code', 'abc']],
  script: '',
};

export const DETAILS: NonNullable<ErrorPageModel['details']> = {
  code: 'invalid_request',
  what: 'this page belongs to another browser or has expired',
  requestId: 'q1w2e3r4t5y6u7i8',
  atMs: Date.UTC(2026, 10, 3, 18, 5),
};

export const PROBLEM: ErrorPageModel = {
  title: 'This page has expired',
  message: 'It was open for too long.',
  advice: 'Go back to the application you came from and start again.',
  details: DETAILS,
};
