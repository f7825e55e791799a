import { describe, expect, it } from 'vitest';
import { readConfig } from '../src/broker/config.js';

const SECRET = 'x'.repeat(32);
const PRODUCTION = {
  BEHALF_ENV: 'production',
  BEHALF_ISSUER: 'https://broker.example',
  BEHALF_SECRET: SECRET,
  BEHALF_ADMIN_TOKEN: SECRET,
  DATABASE_URL: 'postgres://db.example/behalf',
};
const problems = (environment: NodeJS.ProcessEnv): string => {
  try {
    readConfig(environment);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};

describe('DESIGN §12 environment', () => {
  it('needs nothing in development', () => {
    expect(readConfig({})).toEqual({
      issuer: 'http://localhost:4000',
      host: '127.0.0.1',
      port: 4000,
      databaseUrl: undefined,
      dataDir: '.behalf',
      secret: undefined,
      previousSecret: undefined,
      adminToken: undefined,
      production: false,
      logLevel: 'info',
      debugSecret: undefined,
      delegationMaxSeconds: 2_592_000,
      actDepthMax: 4,
      trustedProxies: 0,
      exchangeErrors: 'rfc8693',
      clientDocuments: 'open',
      clientDocumentDomains: [],
      refreshGraceSeconds: 60,
      strictReplay: false,
      dpopRequiresNonce: false,
      clientCertificates: undefined,
      attestation: false,
      stepUpByRefresh: false,
      assertionGrant: false,
      refusalsPerMinute: undefined,
      adminClient: undefined,
      shutdownDelaySeconds: 0,
      keyRotationDays: 90,
      keyLeadSeconds: 1200,
      registration: { mode: 'open', domains: [], perNetwork: 100, total: 2000 },
    });
  });

  it('answers a refresh again for a minute at most, or never', () => {
    expect(readConfig({ BEHALF_REFRESH_GRACE_SECONDS: '0' }).refreshGraceSeconds).toBe(0);
    expect(problems({ BEHALF_REFRESH_GRACE_SECONDS: '61' })).toContain(
      'BEHALF_REFRESH_GRACE_SECONDS',
    );
  });

  it('says who may register by themselves, and refuses what names no domain', () => {
    const domains = {
      BEHALF_REGISTRATION: 'domain',
      BEHALF_REGISTRATION_DOMAINS: 'claude.ai *.x.y',
    };
    expect(readConfig(domains).registration).toMatchObject({
      mode: 'domain',
      domains: ['claude.ai', '*.x.y'],
    });
    expect(problems({ BEHALF_REGISTRATION: 'domain' })).toContain('must name a domain');
    for (const wrong of ['https://claude.ai', '*', '*.', 'CLAUDE.ai', '10.0.0.1', 'a..b']) {
      expect([wrong, problems({ BEHALF_REGISTRATION_DOMAINS: wrong })]).toEqual([
        wrong,
        expect.stringContaining('BEHALF_REGISTRATION_DOMAINS'),
      ]);
    }
    expect(problems({ BEHALF_REGISTRATION: 'yes' })).toContain('BEHALF_REGISTRATION');
  });

  it('makes the issuer follow the port', () => {
    expect(readConfig({ BEHALF_PORT: '5000' }).issuer).toBe('http://localhost:5000');
  });

  it('starts in production when everything is said', () => {
    expect(readConfig(PRODUCTION)).toMatchObject({
      production: true,
      issuer: 'https://broker.example',
    });
  });

  it('refuses every development default in production, all at once (M16)', () => {
    const said = problems({ BEHALF_ENV: 'production', BEHALF_ISSUER: 'http://broker.example' });
    expect(said.split('\n')).toEqual([
      'Behalf cannot start:',
      '  - BEHALF_ISSUER must be https, or http on a loopback host',
      '  - BEHALF_SECRET must be set in production',
      '  - BEHALF_ADMIN_TOKEN must be set in production',
      '  - DATABASE_URL must be set in production (or BEHALF_ACCEPT_PGLITE=1: an embedded database does not survive power loss)',
    ]);
  });

  it('accepts an embedded database in production only when told so', () => {
    const { DATABASE_URL: _url, ...embedded } = PRODUCTION;
    expect(problems(embedded)).toContain('DATABASE_URL must be set');
    expect(problems({ ...embedded, BEHALF_ACCEPT_PGLITE: '1' })).toBe('');
  });

  it.each([
    ['an issuer that is no URL', { BEHALF_ISSUER: 'broker' }],
    ['an issuer that ends in a slash', { BEHALF_ISSUER: 'https://broker.example/' }],
    ['an issuer with a query', { BEHALF_ISSUER: 'https://broker.example?' }],
    ['an issuer with a slash after its path', { BEHALF_ISSUER: 'https://broker.example/tenant/' }],
    ['an issuer with an empty segment', { BEHALF_ISSUER: 'https://broker.example//tenant' }],
    ['an issuer with dot segments', { BEHALF_ISSUER: 'https://broker.example/a/../tenant' }],
    ['an issuer with an encoded path', { BEHALF_ISSUER: 'https://broker.example/%74enant' }],
    ['an issuer below well-known', { BEHALF_ISSUER: 'https://broker.example/.well-known/x' }],
    ['an issuer with its host in upper case', { BEHALF_ISSUER: 'https://BROKER.example' }],
    ['an issuer with a default port', { BEHALF_ISSUER: 'https://broker.example:443' }],
    ['an issuer with a user', { BEHALF_ISSUER: 'https://x@broker.example/tenant' }],
    ['a short secret', { BEHALF_SECRET: 'short' }],
    ['a short admin token', { BEHALF_ADMIN_TOKEN: 'short' }],
    ['another database', { DATABASE_URL: 'mysql://db' }],
    ['a port that is none', { BEHALF_PORT: '70000' }],
    ['chains of nobody', { BEHALF_ACT_DEPTH_MAX: '0' }],
    ['chains that verifiers refuse', { BEHALF_ACT_DEPTH_MAX: '5' }],
    ['a delegation of a minute', { BEHALF_DELEGATION_MAX_SECONDS: '3599' }],
    ['a delegation of years', { BEHALF_DELEGATION_MAX_SECONDS: '31622401' }],
    ['a delegation of no number', { BEHALF_DELEGATION_MAX_SECONDS: 'long' }],
    ['an unknown environment', { BEHALF_ENV: 'staging' }],
  ])('refuses %s', (_name, environment) => {
    expect(problems(environment)).toContain('Behalf cannot start:');
  });

  describe('certificates of clients (RFC 8705), as a proxy tells of them', () => {
    const told = {
      BEHALF_TRUSTED_PROXIES: '1',
      BEHALF_CLIENT_CERTIFICATE_HEADER: 'Client-Cert',
      BEHALF_CLIENT_CERTIFICATE_VERIFIED_HEADER: 'X-Client-Verify',
      BEHALF_CLIENT_CERTIFICATE_FROM: '10.0.0.0/8, ::1',
      BEHALF_CLIENT_CERTIFICATE_ORIGIN: 'https://mtls.broker.example',
    };

    it('need to say where, and who is believed', () => {
      expect(readConfig(told).clientCertificates).toEqual({
        header: 'client-cert',
        verifiedHeader: 'x-client-verify',
        from: ['10.0.0.0/8', '::1'],
        origin: 'https://mtls.broker.example',
      });
    });

    it.each([
      ['no proxy', { BEHALF_TRUSTED_PROXIES: '0' }, '_HEADER needs BEHALF_TRUSTED_PROXIES'],
      ['no header', { BEHALF_CLIENT_CERTIFICATE_HEADER: undefined }, '_HEADER must be'],
      ['a header clients send', { BEHALF_CLIENT_CERTIFICATE_HEADER: 'cookie' }, '_HEADER must be'],
      [
        'one header for both',
        { BEHALF_CLIENT_CERTIFICATE_VERIFIED_HEADER: 'client-cert' },
        '_VERIFIED_HEADER must begin with "x-"',
      ],
      ['nobody to believe', { BEHALF_CLIENT_CERTIFICATE_FROM: undefined }, '_FROM must name'],
      ['a name', { BEHALF_CLIENT_CERTIFICATE_FROM: 'proxy.example' }, '_FROM must hold addresses'],
      ['a block too long', { BEHALF_CLIENT_CERTIFICATE_FROM: '10.0.0.0/33' }, '_FROM must hold'],
      [
        'a plain origin',
        { BEHALF_CLIENT_CERTIFICATE_ORIGIN: 'http://a.example' },
        '_ORIGIN must be',
      ],
      ['a path', { BEHALF_CLIENT_CERTIFICATE_ORIGIN: 'https://a.example/x' }, '_ORIGIN must be'],
    ])('refuses %s', (_what, environment, problem) => {
      expect(problems({ ...told, ...environment })).toContain(
        `BEHALF_CLIENT_CERTIFICATE${problem}`,
      );
    });
  });

  it('takes an issuer with a path (RFC 8414 §2)', () => {
    const issuer = 'https://broker.example/tenants/one-1';
    expect(readConfig({ BEHALF_ISSUER: issuer }).issuer).toBe(issuer);
  });

  it('says of each what it must be', () => {
    expect(problems({ BEHALF_SECRET: 'short', BEHALF_PORT: 'x' }).split('\n')).toEqual([
      'Behalf cannot start:',
      '  - BEHALF_PORT: must be a number',
      '  - BEHALF_SECRET: must have at least 32 characters',
    ]);
  });
});
