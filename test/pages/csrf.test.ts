import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createFormSealer, isSameOrigin, SEALED_CHARS_MAX } from '../../src/broker/http/csrf.js';

const forms = createFormSealer(randomBytes(32));
const NOW = 1_700_000_000_000;
const VALUE = { uid: 'u1', offered: ['files:read'] };

describe('a sealed form field', () => {
  const sealed = forms.seal('consent', VALUE, 60, NOW);

  it('opens to what was sealed, until its time is over', () => {
    expect(forms.open('consent', sealed, NOW)).toEqual(VALUE);
    expect(forms.open('consent', sealed, NOW + 59_999)).toEqual(VALUE);
    expect(forms.open('consent', sealed, NOW + 60_000)).toBeUndefined();
  });

  it('stays shut for another purpose or another key', () => {
    expect(forms.open('sign-in', sealed, NOW)).toBeUndefined();
    expect(createFormSealer(randomBytes(32)).open('consent', sealed, NOW)).toBeUndefined();
  });

  it('stays shut when any one character is another', () => {
    for (let at = 0; at < sealed.length; at += 1) {
      const other = sealed[at] === 'A' ? 'B' : 'A';
      const changed = sealed.slice(0, at) + other + sealed.slice(at + 1);
      expect(forms.open('consent', changed, NOW)).toBeUndefined();
    }
  });

  it.each([
    '',
    '.',
    'a.b',
    `.${'A'.repeat(43)}`,
    'x'.repeat(SEALED_CHARS_MAX + 1),
    `${sealed}=`,
    `${sealed} `,
    sealed.slice(0, -1),
    sealed.slice(0, sealed.indexOf('.')),
  ])('stays shut for what was never sealed: %.20s', (text) => {
    expect(forms.open('consent', text, NOW)).toBeUndefined();
  });

  it('is never longer than the largest it opens, nor made with a short key', () => {
    const large = { text: 'x'.repeat(SEALED_CHARS_MAX) };
    expect(() => forms.seal('consent', large, 60, NOW)).toThrow(RangeError);
    expect(() => createFormSealer(randomBytes(31))).toThrow(RangeError);
  });
});

describe('isSameOrigin (I1, I11)', () => {
  const ISSUER = 'https://broker.example';

  it.each([
    [{ origin: ISSUER }],
    [{ origin: ISSUER, 'sec-fetch-site': 'same-origin' }],
    [{ origin: 'null', 'sec-fetch-site': 'same-origin' }],
    [{ 'sec-fetch-site': 'same-origin' }],
    [{ 'sec-fetch-site': 'none' }],
    [{ referer: `${ISSUER}/interaction/u1` }],
    [{}],
  ])('accepts %j', (headers) => {
    expect(isSameOrigin(headers, ISSUER)).toBe(true);
  });

  it.each([
    [{ origin: 'https://evil.example' }],
    [{ origin: 'https://broker.example.evil.example' }],
    [{ origin: 'http://broker.example' }],
    [{ origin: 'https://broker.example:8443' }],
    [{ origin: '' }],
    [{ origin: `${ISSUER}, https://evil.example` }],
    [{ origin: 'null' }],
    [{ origin: 'null', 'sec-fetch-site': 'cross-site' }],
    [{ origin: 'null', 'sec-fetch-site': 'none' }],
    [{ origin: ISSUER, 'sec-fetch-site': 'cross-site' }],
    [{ origin: ISSUER, 'sec-fetch-site': 'same-site' }],
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'same-site' }],
    [{ 'sec-fetch-site': '' }],
    [{ referer: 'https://evil.example/' }],
    [{ referer: 'not a url' }],
    [{ referer: [ISSUER, ISSUER] }],
  ])('refuses %j', (headers) => {
    expect(isSameOrigin(headers, ISSUER)).toBe(false);
  });

  it('compares origins, not text: an issuer may end in a slash', () => {
    expect(isSameOrigin({ origin: 'http://localhost:4000' }, 'http://localhost:4000/')).toBe(true);
  });
});
