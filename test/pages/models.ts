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
  onward: [],
  ticked: more.risk !== 'destructive',
  ...more,
});

export const AGENT_CONSENT: ConsentPageModel = {
  user: { name: 'Ana Pereira', email: 'ana@example.com' },
  agent: {
    id: 'agt_expense',
    name: 'Expense Bot',
    owner: 'Acme Finance Operations',
    sponsor: 'Dana Cole',
    vendor: 'Acme Labs',
    model: 'clerk',
    version: '4.2',
    registeredSecondsAgo: 100 * 86_400,
    changedSecondsAgo: 12 * 86_400,
    people: { count: 41, orMore: false },
    purpose: 'Files expense reports from the receipts in your inbox.',
    description: 'Reads receipts, fills in the report, asks you before it submits.',
  },
  client: {
    id: 'cli_desk',
    name: 'Desk Companion',
    origin: 'operator',
    redirectUris: ['https://desk.example/callback'],
    description: 'The friendly desk that never sleeps.',
    clientUri: 'https://desk.example',
    policyUri: 'https://desk.example/privacy',
    contact: 'help@desk.example',
  },
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
      onward: [{ name: 'Ledger', titles: ['Read entries', 'Add entries'] }],
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
  changedMeanwhile: false,
  presets: ['read', 'all', 'none'],
  durations: [
    { seconds: 2_592_000, chosen: true },
    { seconds: 86_400, chosen: false },
    { seconds: 3600, chosen: false },
  ],
  helpers: { max: 3, chosen: 0 },
  manageUrl: 'https://behalf.example/me',
  shown: 'c2VhbGVk.bWFj',
  actions: {
    decide: '/interaction/u1/decision',
    preset: '/interaction/u1/preset#scopes',
    switchUser: '/interaction/u1/switch-user',
  },
};

/** Somebody who decided before, about something that has changed in every way it can. */
export const CHANGED_CONSENT: ConsentPageModel = {
  ...AGENT_CONSENT,
  changedMeanwhile: true,
  changes: {
    added: [{ name: 'reports:delete', title: 'Delete expense reports' }],
    gone: [{ name: 'payments:send', title: 'Send payments' }],
    changed: [
      { part: 'agentName', before: ['Expense Helper'], after: ['Expense Bot'] },
      { part: 'agentPurpose', before: [], after: ['Files expense reports'] },
      {
        part: 'clientRedirects',
        before: ['https://desk.example/old'],
        after: ['https://desk.example/callback', 'https://desk.example/other'],
      },
      { part: 'scopeRisk', scope: 'Read your invoices', before: ['read'], after: ['write'] },
      { part: 'scopeTools', scope: 'Read your invoices', before: ['get_invoice'], after: [] },
    ],
  },
};

/** A lookalike, perhaps: new here and used by nobody; and the page was asked for other ticks. */
export const NEW_AGENT_CONSENT: ConsentPageModel = {
  ...AGENT_CONSENT,
  agent: {
    id: 'agt_new',
    name: 'Expense Bot',
    owner: 'Somebody',
    registeredSecondsAgo: 7200,
    people: { count: 0, orMore: false },
  },
  preset: 'read',
  scopes: AGENT_CONSENT.scopes.map((one) => ({ ...one, ticked: one.risk === 'read' })),
  changes: { added: [], gone: [], changed: [] },
  helpers: { max: 3, chosen: 2 },
};

const { agent: _agent, helpers: _helpers, ...withoutAgent } = AGENT_CONSENT;

export const CLIENT_CONSENT: ConsentPageModel = {
  ...withoutAgent,
  client: {
    id: 'cli_editor',
    name: 'Code Editor',
    origin: 'operator',
    redirectUris: ['http://127.0.0.1:7777/callback'],
  },
  presets: ['read', 'all', 'none'],
  redirect: { kind: 'loopback', display: '127.0.0.1:7777' },
  scopes: AGENT_CONSENT.scopes.slice(0, 3),
  takenAway: [],
};

/** It came by itself, under a name that anybody could choose. */
export const REGISTERED_CONSENT: ConsentPageModel = {
  ...CLIENT_CONSENT,
  client: { ...CLIENT_CONSENT.client, id: 'cli_Zr0xXw3S', origin: 'registration' },
};

/** What a document says of itself, and an answer that goes elsewhere. */
export const DOCUMENT_CONSENT: ConsentPageModel = {
  ...CLIENT_CONSENT,
  client: {
    ...CLIENT_CONSENT.client,
    id: 'https://editor.example/oauth/client.json',
    introducedBy: 'editor.example',
    redirectUris: ['https://editor.example/callback'],
  },
  redirect: { kind: 'web', display: 'editor.example' },
};

const { resource: _resource, ...withoutResource } = withoutAgent;

export const IDENTITY_CONSENT: ConsentPageModel = {
  ...withoutResource,
  presets: [],
  client: {
    id: 'cli_desk',
    name: 'Desk Companion',
    origin: 'operator',
    redirectUris: ['com.example.notes:/callback'],
  },
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
  agent: {
    id: LONG,
    name: LONG,
    owner: LONG,
    registeredSecondsAgo: 1,
    people: { count: 1000, orMore: true },
  },
  client: {
    id: LONG,
    name: LONG,
    origin: 'operator',
    redirectUris: [`https://${LONG}.example`],
    description: LONG,
    clientUri: `https://${LONG}.example`,
    contact: LONG,
  },
  changes: {
    added: [{ name: LONG, title: LONG }],
    gone: [],
    changed: [{ part: 'scopeOnward', scope: LONG, before: [LONG], after: [LONG, `${LONG}2`] }],
  },
  redirect: { kind: 'web', display: `${LONG}.example` },
  resource: { identifier: LONG, name: LONG },
  scopes: [
    scope(LONG, LONG, {
      description: LONG,
      tools: [LONG],
      onward: [{ name: LONG, titles: [LONG] }],
    }),
  ],
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

export const SIGN_IN_AGAIN: SignInPageModel = { ...SIGN_IN, again: { scopes: [] } };
export const FRESH_SIGN_IN: SignInPageModel = {
  ...SIGN_IN,
  again: { scopes: ['Delete expense reports', 'Send payments'] },
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
