/** What has to be true of a trusted issuer as a whole: keys from one place, and rules for what it may say. */

import { publicKeyProblems } from '../clients/public-key.js';
import type { Executor } from '../db/database.js';
import { isSame } from '../registry/change.js';
import type { FieldProblem } from '../registry/refusal.js';
import type { IdJagRules, TrustRules } from './schema.js';
import type { TrustedIssuerRow } from './store.js';

export interface RuleDeps {
  /** Exact issuer identifier of this broker. */
  readonly issuer: string;
  /** Which of these are no agents or clients in use. */
  readonly unknownPrincipals: (db: Executor, ids: readonly string[]) => Promise<string[]>;
  /** The scopes of a resource in use. */
  readonly scopesOf: (db: Executor, resource: string) => Promise<readonly string[] | undefined>;
}

type Described = Pick<TrustedIssuerRow, 'issuer' | 'purposes' | 'jwks' | 'jwksUri'> & {
  readonly rules: TrustRules;
};

export const rulesOf = ({ rules }: Pick<TrustedIssuerRow, 'rules'>): TrustRules =>
  rules as TrustRules;

export async function issuerProblems(
  deps: RuleDeps,
  db: Executor,
  row: Described,
): Promise<FieldProblem[]> {
  return [
    ...placeProblems(deps, row),
    ...keyProblems(row),
    ...(await purposeProblems(deps, db, row)),
  ];
}

/** Whoever is served over http is developing: nobody else's keys come over an open line (DESIGN §12). */
function placeProblems({ issuer: own }: RuleDeps, row: Described): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const refuse = (field: string, message: string) => problems.push({ path: [field], message });
  const isOpen = (url: string | null) => url?.startsWith('http:') === true;
  if (row.issuer === own) refuse('issuer', 'must not be this server: it trusts itself already');
  if (own.startsWith('https:')) {
    if (isOpen(row.issuer)) refuse('issuer', 'must be https');
    if (isOpen(row.jwksUri)) refuse('jwksUri', 'must be https');
  }
  return problems;
}

function keyProblems({ jwks, jwksUri }: Described): FieldProblem[] {
  if ((jwks === null) === (jwksUri === null)) {
    return [{ path: ['jwks'], message: 'or jwks_uri must be there, and not both' }];
  }
  const kids = (jwks?.keys ?? []).map(({ kid }) => kid);
  return (jwks?.keys ?? []).flatMap((jwk, index): FieldProblem[] => {
    const at = ['jwks', 'keys', index];
    const repeated = kids.indexOf(jwk.kid) < index;
    const message =
      jwk.kid === undefined ? 'is missing: it tells keys apart' : 'is the name of another key here';
    return [
      ...publicKeyProblems(jwk as never).map(({ path, message }) => ({
        path: [...at, ...path],
        message,
      })),
      ...(repeated ? [{ path: [...at, 'kid'], message }] : []),
    ];
  });
}

async function purposeProblems(
  deps: RuleDeps,
  db: Executor,
  { purposes, rules: { idJag } }: Described,
): Promise<FieldProblem[]> {
  const at = ['rules', 'idJag'];
  if (purposes.includes('id_jag') !== (idJag !== undefined)) {
    const message = idJag === undefined ? 'is needed for id_jag' : 'is of no use without id_jag';
    return [{ path: at, message }];
  }
  return idJag === undefined
    ? []
    : [
        ...emailProblems(idJag).map((one) => ({ ...one, path: [...at, ...one.path] })),
        ...(await nameProblems(deps, db, idJag)).map((one) => ({
          ...one,
          path: [...at, ...one.path],
        })),
      ];
}

/** Incident 17: an address counts only where the issuer is its authority. */
function emailProblems({ subject = 'mapped', emailDomains }: IdJagRules): FieldProblem[] {
  if ((subject === 'email') === (emailDomains !== undefined)) return [];
  const message =
    subject === 'email'
      ? 'must list the domains whose addresses the issuer gives'
      : 'is of no use unless subject is email';
  return [{ path: ['emailDomains'], message }];
}

async function nameProblems(
  { unknownPrincipals, scopesOf }: RuleDeps,
  db: Executor,
  { clients, resources }: IdJagRules,
): Promise<FieldProblem[]> {
  const unknown = new Set(await unknownPrincipals(db, clients));
  const problems: FieldProblem[] = clients.flatMap((id, index) =>
    unknown.has(id) ? [{ path: ['clients', index], message: `names no client: "${id}"` }] : [],
  );
  for (const [index, { resource, scopes = [] }] of resources.entries()) {
    const path = ['resources', index];
    const known = await scopesOf(db, resource);
    if (known === undefined) {
      problems.push({ path: [...path, 'resource'], message: `names no resource: "${resource}"` });
      continue;
    }
    for (const [n, scope] of scopes.entries()) {
      if (known.includes(scope)) continue;
      problems.push({ path: [...path, 'scopes', n], message: `is no scope of it: "${scope}"` });
    }
  }
  return problems;
}

/** Whether a change only adds: keys and purposes are still there, and no rule is another. */
export function onlyAdds(before: TrustedIssuerRow, after: TrustedIssuerRow): boolean {
  const keys = after.jwks?.keys ?? [];
  const known = Object.entries(rulesOf(before));
  return (
    before.jwksUri === after.jwksUri &&
    (before.jwks?.keys ?? []).every((one) => keys.some((other) => isSame(one, other))) &&
    before.purposes.every((one) => after.purposes.includes(one)) &&
    known.every(([name, rule]) => isSame(rule, rulesOf(after)[name as keyof TrustRules]))
  );
}
