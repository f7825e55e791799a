/**
 * Whether an installation is fit: its database, its clock, its keys, and what the world sees at its
 * issuer. Changes nothing, and tells of each thing what cures it.
 */
import { wellKnownUrl } from '../../protocol/index.js';
import type { Config } from '../config.js';
import type { Database } from '../db/database.js';
import { isMigrated } from '../db/migrations.js';
import { secretsOf } from '../keys/settings.js';
import { loadKeys, type VerificationKey } from '../keys/store.js';
import { isFound, type Seen, serverMetadataUrls, text } from './policy.js';
import type { Step } from './steps.js';

export interface InstallationDeps {
  readonly config: Config;
  /** Opened by the caller, unmigrated; or why there is none to look at. */
  readonly db: Database | { readonly outcome: 'failed' | 'not tried'; readonly why: string };
  readonly see: (url: string) => Promise<Seen>;
  readonly now: () => number;
}

/** Assertions, proofs and tokens are judged by clocks that may be apart by no more. */
const DRIFT_MAX_MS = 5000;

export async function checkInstallation(deps: InstallationDeps): Promise<readonly Step[]> {
  const { db } = deps;
  if (!('orm' in db)) {
    const step = { step: 'database', outcome: db.outcome, says: db.why };
    const cure =
      'start PostgreSQL, or correct DATABASE_URL: the address, the name and the password in it.';
    return [db.outcome === 'failed' ? { ...step, cure } : step, ...(await atIssuer(deps, []))];
  }
  const migrated = await checkMigrated(db);
  const steps = [await checkClock(deps, db), migrated];
  if (migrated.outcome === 'failed') return [...steps, ...(await atIssuer(deps, []))];
  const { step, keys } = await checkKeys(deps, db);
  return [...steps, step, ...(await atIssuer(deps, keys))];
}

async function checkClock({ now }: InstallationDeps, db: Database): Promise<Step> {
  const before = now();
  const [row] = await db.run<{ ms: string | number }>(
    'select (extract(epoch from clock_timestamp()) * 1000)::bigint as ms',
  );
  const driftMs = Math.round(Number(row?.ms) - (before + now()) / 2);
  const says = `the database answers; its clock is ${Math.abs(driftMs)} ms ${driftMs < 0 ? 'behind' : 'ahead'}`;
  return Math.abs(driftMs) <= DRIFT_MAX_MS
    ? { step: 'database', outcome: 'ok', says }
    : {
        step: 'database',
        outcome: 'failed',
        says,
        cure: 'let the machine of the broker and that of the database keep time by NTP.',
      };
}

async function checkMigrated(db: Database): Promise<Step> {
  const step = 'migrations';
  if (await isMigrated(db).catch(() => false))
    return { step, outcome: 'ok', says: 'the schema is up to date' };
  return {
    step,
    outcome: 'failed',
    says: 'migrations of this version are pending',
    cure: 'run `behalf migrate`, or start a broker of this version: it applies them.',
  };
}

async function checkKeys(
  { config }: InstallationDeps,
  db: Database,
): Promise<{ readonly step: Step; readonly keys: readonly VerificationKey[] }> {
  const step = 'keys';
  try {
    const { published } = await loadKeys(db, await secretsOf(config));
    const active = published.filter(({ state }) => state === 'active').map(({ kid }) => kid);
    const says =
      published.length === 0
        ? 'none yet: the first start makes them'
        : `${active.join(', ')} signs`;
    return { step: { step, outcome: 'ok', says }, keys: published };
  } catch (error) {
    const says = (error as Error).message;
    const cure =
      'set BEHALF_SECRET to the secret the keys were sealed with, or name that one as BEHALF_SECRET_PREVIOUS.';
    return { step: { step, outcome: 'failed', says, cure }, keys: [] };
  }
}

/** What clients and verifiers find at the issuer. */
async function atIssuer(
  { config: { issuer }, see }: InstallationDeps,
  keys: readonly VerificationKey[],
): Promise<readonly Step[]> {
  const urls = [
    ...new Set([
      ...serverMetadataUrls(issuer),
      `${issuer}/.well-known/oauth-authorization-server`,
      wellKnownUrl(issuer, 'oauth-authorization-server'),
    ]),
  ];
  const documents = await Promise.all(urls.map(async (url) => ({ url, seen: await see(url) })));
  const lost = documents.find(({ seen }) => !isFound(seen));
  if (lost !== undefined) {
    const { status, failure } = lost.seen;
    return [
      {
        step: 'issuer',
        outcome: 'failed',
        says: `${lost.url} ${status === 0 ? `does not answer (${failure})` : `answers ${status}`}`,
        cure: 'start the broker, and route the issuer and its well-known addresses to it, unchanged.',
      },
    ];
  }
  return [checkDocuments(issuer, documents), await checkJwks(documents[0]?.seen, see, keys)];
}

function checkDocuments(
  issuer: string,
  documents: ReadonlyArray<{ readonly url: string; readonly seen: Seen }>,
): Step {
  const step = 'discovery';
  const bodies = new Set(documents.map(({ seen }) => JSON.stringify(seen.json)));
  const named = text(documents[0]?.seen.json ?? {}, 'issuer');
  if (bodies.size === 1 && named === issuer)
    return { step, outcome: 'ok', says: `${documents.length} addresses, one document, ${issuer}` };
  const says =
    named === issuer
      ? 'the metadata documents differ'
      : `the metadata name the issuer "${named}", the configuration says "${issuer}"`;
  return {
    step,
    outcome: 'failed',
    says,
    cure: 'give every process the same BEHALF_ISSUER, and let no proxy change or keep the documents.',
  };
}

async function checkJwks(
  metadata: Seen | undefined,
  see: InstallationDeps['see'],
  keys: readonly VerificationKey[],
): Promise<Step> {
  const step = 'published keys';
  const seen = await see(text(metadata?.json ?? {}, 'jwks_uri') ?? '');
  const published = (seen.json?.keys ?? []) as ReadonlyArray<{ readonly kid?: string }>;
  const missing = keys.find(({ kid }) => !published.some((one) => one.kid === kid));
  if (isFound(seen) && published.length > 0 && missing === undefined)
    return { step, outcome: 'ok', says: `${published.length} keys` };
  return {
    step,
    outcome: 'failed',
    says:
      missing === undefined ? 'no keys are published' : `the key ${missing.kid} is not published`,
    cure: 'let the issuer be answered by a broker on this very database, and no proxy keep the key set for longer than it says.',
  };
}
