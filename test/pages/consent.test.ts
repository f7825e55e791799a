import { describe, expect, it } from 'vitest';
import { renderConsent } from '../../src/broker/consent/views.js';
import type {
  ConsentPageModel,
  ShownAgent,
  ShownClient,
  ShownTakenAway,
} from '../../src/broker/http/page-model.js';
import { LANGUAGES } from '../../src/broker/http/texts/index.js';
import {
  AGENT_CONSENT,
  CHANGED_CONSENT,
  CLIENT_CONSENT,
  IDENTITY_CONSENT,
  NEW_AGENT_CONSENT,
} from './models.js';
import { controlsOf, linesOf } from './text.js';

const titleOf = (html: string) => /<title>(.*)<\/title>/.exec(html)?.[1];

describe('the consent page for an agent', () => {
  const html = renderConsent(AGENT_CONSENT, LANGUAGES.en);

  it('says all of this, in this order', () => {
    expect(linesOf(html)).toEqual([
      'Expense Bot wants to act for you on Finance Tools',
      'Run by Acme Finance Operations, opening through Desk Companion.',
      'Registered 3 months ago, used by 41 people here.',
      'Who is asking',
      ...['Agent', 'Expense Bot'],
      ...['Purpose', 'Files expense reports from the receipts in your inbox.'],
      ...['About', 'Reads receipts, fills in the report, asks you before it submits.'],
      ...['Run by', 'Acme Finance Operations'],
      ...['Stands in', 'Dana Cole'],
      ...['Made by', 'Acme Labs', 'Model', 'clerk', 'Version', '4.2'],
      ...['Agent id', 'agt_expense'],
      ...['Last changed', '12 days ago'],
      ...['Application', 'Desk Companion'],
      ...['Application id', 'cli_desk'],
      ...['Known how', 'Registered by the operator of this server'],
      ...['May return to', 'https://desk.example/callback'],
      ...['Service', 'Finance Tools'],
      ...['Service address', 'https://finance.example/mcp'],
      'Signed in as Ana Pereiraana@example.com',
      'Not you?',
      ...['Afterwards you go to', 'desk.example', 'Stop here if you do not know this address.'],
      'What it may do',
      'Untick what you do not want. If nothing is ticked, nothing is allowed.',
      ...['Read only', 'Everything offered', 'Custom'],
      'Look, without changing anything Read',
      ...['List your invoicesinvoices:list', 'Used by list_invoices'],
      ...[
        'Read your invoicesinvoices:read',
        'Amounts, dates, suppliers and the attached documents.',
      ],
      'Used by 4 tools',
      ...['get_invoice', 'search_invoices', 'export_csv', 'get_attachment'],
      'Add and change Change',
      ...['Create and change expense reportsreports:write', 'Used by create_report, update_report'],
      'Finance Tools may go on to Ledger with this: Read entries and Add entries.',
      'Delete, or do what cannot be undone No undo',
      'Tick only what may happen without asking you again.',
      ...['Delete expense reportsreports:delete', 'Deleted reports cannot be brought back.'],
      'Used by delete_report',
      'Know about you You',
      ...['Know that it is you', 'Always part of signing in.', 'See your e-mail address'],
      ...['Asked for, but blocked', 'None of this is allowed, whatever you choose here.'],
      ...['Send paymentspayments:send', 'Your organisation does not allow this agent to do this.'],
      'Close the booksledger:close',
      'You do not have this yourself, so you cannot pass it on.',
      'Your organisation does not allow this application to be used for this.',
      'What it can never do',
      'See or change your password.',
      'Do more than you tick here, or pass more than that on to others.',
      'Let in anybody you do not allow here.',
      'Go on after the time you choose.',
      ...['For how long', 'Until I stop it, 30 days at most', '1 day', '1 hour'],
      'May it pass work on to other agents?',
      'Never with more than this, and never for longer.',
      ...['No', 'Up to 1 helper', 'Up to 2, one after another', 'Up to 3, one after another'],
      ...['The app says:', 'These are its own words. Nobody here has checked them.'],
      'The friendly desk that never sleeps.',
      'Website: https://desk.example',
      'Privacy policy: https://desk.example/privacy',
      'Contact: help@desk.example',
      'Don’t allow',
      'Allow',
      'You can stop this at any time at https://behalf.example/me',
    ]);
  });

  it('sends exactly what was shown: ticks, a time, the seal, a decision', () => {
    const sent = controlsOf(html).map((tag) =>
      tag.replace(/ (id|class|aria-describedby)="[^"]*"/g, ''),
    );
    const preset = (name: string) =>
      `<button type="submit" name="preset" value="${name}" formaction="/interaction/u1/preset#scopes">`;
    const box = (name: string, ticked = ' checked') =>
      `<input type="checkbox" name="scope" value="${name}"${ticked}/>`;
    expect(sent).toEqual([
      '<button type="submit">',
      // First, so that the Enter key never allows, nor ticks anything.
      '<button type="submit" name="decision" value="deny" hidden tabindex="-1">',
      '<input type="hidden" name="shown" value="c2VhbGVk.bWFj"/>',
      ...['read', 'all', 'none'].map(preset),
      box('invoices:list'),
      box('invoices:read'),
      box('reports:write'),
      box('reports:delete', ''),
      '<input type="hidden" name="scope" value="openid"/>',
      box('email'),
      '<input type="radio" name="duration_seconds" value="2592000" checked/>',
      '<input type="radio" name="duration_seconds" value="86400"/>',
      '<input type="radio" name="duration_seconds" value="3600"/>',
      '<input type="radio" name="helpers" value="0" checked/>',
      ...[1, 2, 3].map((count) => `<input type="radio" name="helpers" value="${count}"/>`),
      '<button type="submit" name="decision" value="deny">',
      '<button type="submit" name="decision" value="allow">',
    ]);
    expect(html).not.toContain('autofocus');
    const forms = [...html.matchAll(/<form method="post" action="([^"]*)"/g)].map(([, to]) => to);
    expect(forms).toEqual(['/interaction/u1/switch-user', '/interaction/u1/decision']);
  });

  it('is a whole document in its language, with a title and one stylesheet, and no script', () => {
    expect(html).toMatch(/^<!doctype html><html lang="en"><head><meta charset="utf-8"\/>/);
    expect(html).toContain('<meta name="viewport" content="width=device-width, initial-scale=1"/>');
    expect(html).toMatch(/<link rel="stylesheet" href="\/assets\/behalf\.[0-9a-f]{16}\.css"\/>/);
    expect(html).not.toMatch(/<script|<style|<img|<iframe|\sstyle=|\son[a-z]+=/i);
    expect(titleOf(html)).toBe('Let Expense Bot act for you? – Behalf');
  });

  it('gives an agent that is its own application no second name', () => {
    const own = {
      ...AGENT_CONSENT,
      client: { ...AGENT_CONSENT.client, id: 'agt_expense', name: 'Expense Bot', redirectUris: [] },
    };
    expect(linesOf(renderConsent(own, LANGUAGES.en))[1]).toBe('Run by Acme Finance Operations.');
  });
});

/** The lines between two others. */
const between = (html: string, from: string, to: string): string[] => {
  const lines = linesOf(html);
  return lines.slice(lines.indexOf(from) + 1, lines.indexOf(to));
};

describe('somebody who decided before', () => {
  const since = (model: ConsentPageModel) =>
    between(
      renderConsent(model, LANGUAGES.en),
      'https://finance.example/mcp',
      'Signed in as Ana Pereiraana@example.com',
    );

  it('reads what is new, what is different, what is gone', () => {
    expect(since(CHANGED_CONSENT)).toEqual([
      'Something on this page changed while you were reading it. Nothing has been allowed: please look again.',
      'What changed since you last decided',
      ...['New: you were not asked this before', 'Delete expense reports'],
      ...['Name of the agent', 'Before', 'Expense Helper', 'Now', 'Expense Bot'],
      ...['Purpose of the agent', 'Before', 'nothing', 'Now', 'Files expense reports'],
      ...['Where the application may return to', 'Before', 'https://desk.example/old'],
      ...['Now', 'https://desk.example/callback', 'https://desk.example/other'],
      ...['Read your invoices – risk', 'Before', 'Read', 'Now', 'Change'],
      ...['Read your invoices – tools that use it', 'Before', 'get_invoice', 'Now', 'nothing'],
      ...['No longer possible', 'Send payments'],
    ]);
  });

  it('or that nothing is; and whoever never decided reads nothing of it', () => {
    expect(since(NEW_AGENT_CONSENT)).toEqual([
      'You decided about this before. Nothing has changed since.',
    ]);
    expect(since(AGENT_CONSENT)).toEqual([]);
  });
});

describe('how long and how widely an agent has been about (I14)', () => {
  const standing = (agent: Partial<ShownAgent>) =>
    linesOf(
      renderConsent(
        { ...AGENT_CONSENT, agent: { ...(AGENT_CONSENT.agent as ShownAgent), ...agent } },
        LANGUAGES.en,
      ),
    )[2];
  const people = (count: number, orMore = false) => ({ people: { count, orMore } });
  it.each([
    [{}, 'Registered 3 months ago, used by 41 people here.'],
    [people(1), 'Registered 3 months ago, used by 1 person here.'],
    [people(1000, true), 'Registered 3 months ago, used by more than 1,000 people here.'],
    [people(0), 'New here Registered 3 months ago, not used by anybody here yet.'],
    [{ registeredSecondsAgo: 604_799 }, 'New here Registered 6 days ago, used by 41 people here.'],
    [{ registeredSecondsAgo: 604_800 }, 'Registered 7 days ago, used by 41 people here.'],
    [{ registeredSecondsAgo: 0 }, 'New here Registered 1 minute ago, used by 41 people here.'],
  ] as const)('%j: %s', (agent, expected) => {
    expect(standing(agent)).toBe(expected);
  });
});

describe('a client that registered itself (K9)', () => {
  const page = (client: Partial<ShownClient>, language = LANGUAGES.en) =>
    renderConsent({ ...CLIENT_CONSENT, client: { ...CLIENT_CONSENT.client, ...client } }, language);

  it('is marked where the question is asked, and in the card, in both languages', () => {
    const lines = linesOf(page({ origin: 'registration' }));
    expect(lines.slice(1, 3)).toEqual([
      'Unverified Code Editor registered itself here. Nobody has checked who is behind it.',
      'Anybody can use any name. What counts is the address below, and whether you started this.',
    ]);
    expect(lines).toContain('It registered itself; nobody here has checked it');
    const german = linesOf(page({ origin: 'registration' }, LANGUAGES.de));
    expect(german[1]).toBe(
      'Ungeprüft Code Editor hat sich hier selbst registriert. Niemand hat geprüft, wer dahintersteht.',
    );
    expect(german).toContain('Sie hat sich selbst registriert; niemand hier hat sie geprüft');
  });

  it('and one an operator registered is not', () => {
    expect(page({}).includes('Unverified')).toBe(false);
    expect(page({}, LANGUAGES.de).includes('Ungeprüft')).toBe(false);
  });

  it('has a name that hides, reorders and floods nothing, and a picture nobody loads', () => {
    const name = `\u202eedualC\u200b ${'x'.repeat(10_000)}`;
    const html = page({ origin: 'registration', name, logoUri: 'https://evil.example/i.png' });
    expect(html).not.toMatch(/[\u202e\u200b]/);
    expect(html).not.toContain('x'.repeat(1001));
    expect(html).not.toMatch(/<img|<link[^>]*evil|url\(/);
  });
});

describe('what the client says of itself', () => {
  const links = (client: Partial<ShownClient>) =>
    renderConsent(
      { ...AGENT_CONSENT, client: { ...AGENT_CONSENT.client, ...client } },
      LANGUAGES.en,
    )
      .match(/<a [^>]*>/g)
      ?.filter((tag) => !/class="skip"|\/me"/.test(tag));

  it('is linked to without saying where from', () => {
    expect(links({})).toEqual(
      ['https://desk.example/', 'https://desk.example/privacy'].map(
        (uri) => `<a href="${uri}" rel="noreferrer noopener nofollow" target="_blank">`,
      ),
    );
  });

  it.each([
    'javascript:alert(1)',
    'data:text/html,x',
    'http://desk.example/',
    'not an address',
  ])('%s is no link', (uri) => {
    expect(links({ clientUri: uri, policyUri: uri, logoUri: uri })).toEqual([]);
  });

  it('is left out when it says nothing, or is the agent itself', () => {
    for (const silent of [
      {
        ...AGENT_CONSENT,
        client: { id: 'cli_x', name: 'X', origin: 'operator' as const, redirectUris: [] },
      },
      { ...AGENT_CONSENT, client: { ...AGENT_CONSENT.client, id: 'agt_expense' } },
    ]) {
      expect(linesOf(renderConsent(silent, LANGUAGES.en))).not.toContain('The app says:');
    }
  });
});

describe('who took a scope away', () => {
  it.each([
    ['resource', 'Finance Tools has no such permission.'],
    ['user', 'You do not have this yourself, so you cannot pass it on.'],
    ['agent', 'Your organisation does not allow this agent to do this.'],
    ['client', 'Your organisation does not allow this application to be used for this.'],
    ['consent', 'You decided against this before.'],
    ['parent', 'Whoever passed this work on does not have it either.'],
  ] as ReadonlyArray<[ShownTakenAway['by'][number], string]>)('%s: %s', (who, sentence) => {
    const takenAway = [{ name: 'a:b', title: 'Do that', by: [who] }];
    const lines = linesOf(renderConsent({ ...AGENT_CONSENT, takenAway }, LANGUAGES.en));
    expect(lines[lines.indexOf('Do thata:b') + 1]).toBe(sentence);
  });
});

describe('the consent page for a client by itself', () => {
  const lines = linesOf(renderConsent(CLIENT_CONSENT, LANGUAGES.en));

  it('names the client, and warns that it returns to this computer', () => {
    expect(lines[0]).toBe('Code Editor wants to use Finance Tools for you');
    expect(lines).toContain('Afterwards you return to a program on this computer');
    expect(lines).toContain('127.0.0.1:7777');
    expect(lines).toContain('Continue only if you just started this yourself, on this computer.');
    expect(lines).not.toContain('Agent');
    expect(lines).not.toContain('Asked for, but blocked');
  });

  it('shows a host to its very end, which is the part that counts', () => {
    const display = `${'desk.example.'.repeat(18)}evil.example:8443`;
    const html = renderConsent(
      { ...CLIENT_CONSENT, redirect: { kind: 'web', display } },
      LANGUAGES.en,
    );
    expect(linesOf(html)).toContain(display);
  });

  it('offers no "Allow" when nothing is left', () => {
    const empty = renderConsent({ ...CLIENT_CONSENT, scopes: [] }, LANGUAGES.en);
    expect(linesOf(empty)).toContain('Nothing of what was asked for can be allowed.');
    expect(empty).not.toContain('value="allow"');
    expect(empty).toContain('value="deny"');
  });
});

describe('the page for signing in to a client', () => {
  it('is short', () => {
    const html = renderConsent(IDENTITY_CONSENT, LANGUAGES.en);
    expect(titleOf(html)).toBe('Sign in to Desk Companion? – Behalf');
    expect(linesOf(html)).toEqual([
      'Desk Companion wants to know who you are',
      'Who is asking',
      ...['Application', 'Desk Companion', 'Application id', 'cli_desk'],
      ...['Known how', 'Registered by the operator of this server'],
      ...['May return to', 'com.example.notes:/callback'],
      'Signed in as Ana Pereiraana@example.com',
      'Not you?',
      'Afterwards an app on this device opens',
      'com.example.notes:',
      'Continue only if you just started this yourself, in that app.',
      'What it may know',
      'Untick what you do not want to share.',
      ...['Know that it is you', 'Always part of signing in.'],
      ...['See your name', 'See your e-mail address'],
      ...['What it can never do', 'See or change your password.', 'Do anything in your name.'],
      'Don’t allow',
      'Allow',
      'You can stop this at any time at https://behalf.example/me',
    ]);
  });

  it('keeps a box for a scope of the resource that merely bears an identity name', () => {
    const scopes = [
      { name: 'openid', title: 'Open ids', risk: 'write', tools: [], onward: [], ticked: true },
    ] as const;
    expect(renderConsent({ ...AGENT_CONSENT, scopes }, LANGUAGES.en)).toMatch(
      /<input type="checkbox"[^>]*value="openid"/,
    );
  });
});
