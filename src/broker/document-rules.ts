/** Whose client ID metadata documents are believed: the operator's settings, as rules. Pure. */

/** Nobody's; those of some domains, and those an operator named; anybody's. */
export type DocumentTrust = 'off' | 'domains' | 'open';

export interface DocumentRules {
  readonly trust: DocumentTrust;
  /** `app.example.com` itself, or `*.example.com`: whatever is below it. */
  readonly domains: readonly string[];
  /** Only where the issuer itself is there, outside production. */
  readonly allowLoopback: boolean;
}

interface Settings {
  readonly issuer: string;
  readonly production: boolean;
  readonly clientDocuments?: DocumentTrust | undefined;
  readonly clientDocumentDomains?: readonly string[] | undefined;
}

export const LOOPBACK_HOSTS: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

export const documentRulesOf = (settings: Settings): DocumentRules => ({
  trust: settings.clientDocuments ?? 'open',
  domains: settings.clientDocumentDomains ?? [],
  // Whoever is there may reach what else is there.
  allowLoopback: !settings.production && LOOPBACK_HOSTS.includes(new URL(settings.issuer).hostname),
});

/** What is wrong with the settings, as sentences. */
export function documentProblems(settings: Omit<Settings, 'issuer' | 'production'>): string[] {
  const { clientDocuments: trust, clientDocumentDomains: domains = [] } = settings;
  const name = 'BEHALF_CLIENT_DOCUMENT_DOMAINS';
  if (trust === 'domains' && domains.length === 0) {
    return [`${name} must be set with BEHALF_CLIENT_DOCUMENTS=domains`];
  }
  if (trust !== 'domains' && domains.length > 0) {
    return [`${name} is of no use without BEHALF_CLIENT_DOCUMENTS=domains`];
  }
  return domains
    .filter((domain) => !isDomain(domain))
    .map((domain) => `${name}: "${domain}" is no host name, nor "*." and one`);
}

function isDomain(domain: string): boolean {
  const host = domain.replace(/^\*\./, '');
  return (
    /^[a-z0-9.-]+$/.test(host) &&
    host.includes('.') &&
    URL.parse(`https://${host}/`)?.hostname === host
  );
}
