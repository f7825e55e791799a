import { describe, expect, it } from 'vitest';
import { renderError } from '../../src/broker/consent/views.js';
import { LANGUAGES } from '../../src/broker/http/texts/index.js';
import { renderSignIn, renderSignOut } from '../../src/broker/users/sign-in-views.js';
import { PLAIN_SIGN_IN, PROBLEM, SIGN_IN, THROTTLED_SIGN_IN, WRONG_SIGN_IN } from './models.js';
import { controlsOf, linesOf } from './text.js';

describe('the sign-in page', () => {
  it('says what it is for', () => {
    expect(linesOf(renderSignIn(SIGN_IN, LANGUAGES.en))).toEqual([
      'Sign in',
      'to decide what Expense Bot may do for you, through Desk Companion',
      ...['E-mail address', 'Password', 'Sign in'],
      'Your password stays here. No application or agent ever sees it.',
    ]);
    expect(linesOf(renderSignIn(PLAIN_SIGN_IN, LANGUAGES.en))[1]).toBe(
      'to continue to Desk Companion',
    );
  });

  it('lets password managers fill it in, and sends the seal with it', () => {
    expect(controlsOf(renderSignIn(SIGN_IN, LANGUAGES.en))).toEqual([
      '<input type="hidden" name="form" value="c2VhbGVk.bWFj"/>',
      '<input id="email" name="email" type="text" inputmode="email" autocomplete="username" autocapitalize="none" spellcheck="false" required maxlength="254" value="ana@example.com"/>',
      '<input id="password" name="password" type="password" autocomplete="current-password" required maxlength="1024"/>',
      '<button type="submit" class="button primary">',
    ]);
  });

  it('says in an alert what went wrong, and in the title that something did', () => {
    const html = renderSignIn(WRONG_SIGN_IN, LANGUAGES.en);
    expect(html).toContain(
      '<div role="alert" id="problem"><p class="notice problem">The e-mail address or the password is not right. Check both and try again.</p></div>',
    );
    expect(html).toContain('<title>Error: sign in – Behalf</title>');
    expect(html.match(/aria-describedby="problem" aria-invalid="true"/g)).toHaveLength(2);
  });

  it.each([
    [undefined, 'a moment'],
    [1, '1 second'],
    [32, '32 seconds'],
    [300, '5 minutes'],
  ])('says how long to wait: %s', (retryAfterSeconds, wait) => {
    const lines = linesOf(renderSignIn({ ...THROTTLED_SIGN_IN, retryAfterSeconds }, LANGUAGES.en));
    expect(lines).toContain(`Too many attempts. Try again in ${wait}.`);
  });
});

it('asks before signing out, and staying is the first answer', () => {
  const html = renderSignOut({ action: '/logout/confirm', xsrf: 'token' }, LANGUAGES.en);
  expect(controlsOf(html)).toEqual([
    '<input type="hidden" name="xsrf" value="token"/>',
    '<button type="submit" class="button">',
    '<button type="submit" name="logout" value="yes" class="button">',
  ]);
});

describe('the error page', () => {
  it('says what happened and what to do, and then the small print', () => {
    expect(linesOf(renderError(PROBLEM, LANGUAGES.en))).toEqual([
      'This page has expired',
      'It was open for too long.',
      'Go back to the application you came from and start again.',
      'Details for support',
      ...['Request number', 'q1w2e3r4t5y6u7i8', 'Time', '3 Nov 2026, 18:05 UTC'],
      ...['Code', 'invalid_request'],
      ...['What happened', 'this page belongs to another browser or has expired'],
    ]);
  });

  it('has no small print without anything to print', () => {
    const { details: _details, ...bare } = PROBLEM;
    expect(linesOf(renderError(bare, LANGUAGES.en))).toHaveLength(3);
  });
});
