import { describe, expect, it } from 'vitest';
import { pageHeaders } from '../../src/broker/http/headers.js';

const cspOf = (...formAction: string[]) => pageHeaders({ formAction })['Content-Security-Policy'];
const formActionOf = (...uris: string[]) => /form-action .*$/.exec(cspOf(...uris) ?? '')?.[0];

describe('the headers of a page', () => {
  it('are these, exactly', () => {
    expect(pageHeaders({})).toEqual({
      'Content-Security-Policy':
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'",
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Resource-Policy': 'same-origin',
      'X-Frame-Options': 'DENY',
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'same-origin',
      'Cache-Control': 'no-store',
      'Permissions-Policy':
        'camera=(), microphone=(), geolocation=(), payment=(), usb=(), publickey-credentials-get=(self)',
    });
  });

  it('keep the opener only when asked to', () => {
    const headers = pageHeaders({ keepsOpener: true });
    expect(headers['Cross-Origin-Opener-Policy']).toBe('unsafe-none');
  });

  it.each([
    ['https://app.example/callback?x=1#y', 'https://app.example'],
    ['https://app.example:8443/cb', 'https://app.example:8443'],
    ['http://127.0.0.1:7777/callback', 'http://127.0.0.1:7777'],
    ['http://localhost/callback', 'http://localhost'],
    ['http://[::1]:7777/callback', 'http:'],
    ['com.example.notes:/callback', 'com.example.notes:'],
    ['https://bücher.example/cb', 'https://xn--bcher-kva.example'],
  ])('let a form lead on to %s', (uri, source) => {
    expect(formActionOf(uri)).toBe(`form-action 'self' ${source}`);
  });

  it.each([
    'javascript:alert(1)',
    'data:text/html,x',
    'blob:https://app.example/1',
    'https://*.example/cb',
    'https://a;script-src.example/cb',
    'https://a,b.example/cb',
    "https://'unsafe-inline'/cb",
    'not a uri',
    '',
  ])('say nothing about %s', (uri) => {
    expect(formActionOf(uri)).toBe("form-action 'self'");
  });

  it('name a target once', () => {
    expect(formActionOf('https://a.example/1', 'https://a.example/2', 'https://b.example/')).toBe(
      "form-action 'self' https://a.example https://b.example",
    );
  });
});
