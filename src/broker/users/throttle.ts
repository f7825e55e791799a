/**
 * How often a password may be guessed (M4). Every attempt is counted before its password is looked
 * at, in one atomic statement, so that no number of parallel guesses gets past the limit. Accounts
 * that do not exist are counted just the same. Owns `sign_in_failures`; knows no password.
 *
 * Nobody can lock somebody else out: a wait is at most a minute; an account has a counter for each
 * network, which nobody elsewhere can fill; what networks it never signed in from do together is
 * counted too, but each adds only its first few failures until several have, so that one alone never
 * makes another wait; and a network from which the account signed in before is not part of that.
 */
import { createHash } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';
import type { Database } from '../db/database.js';

export interface Throttle {
  /** Counts an attempt, or says how long to wait. */
  attempt(who: Attempt): Promise<Admission>;
  /** Forgets the failures of an account that signed in, and remembers the network. */
  succeeded(who: Attempt): Promise<void>;
}

export interface Attempt {
  /** Folded e-mail address, of an account or not. */
  readonly accountKey: string;
  /** IP address; empty when unknown. */
  readonly address: string;
}

export type Admission =
  | { readonly admitted: true; readonly failures: number }
  | { readonly admitted: false; readonly retryAfterSeconds: number };

interface Rule {
  /** From this failure on, each one costs a wait: 1 s, 2 s, 4 s, … */
  readonly freeFailures: number;
  readonly waitMaxSeconds: number;
  /** Failures are forgotten after this long without another. */
  readonly memorySeconds: number;
}

const WAIT_MAX_SECONDS = 60;
/** An account at one network. */
const PAIR: Rule = {
  freeFailures: 5,
  waitMaxSeconds: WAIT_MAX_SECONDS,
  memorySeconds: 24 * 3600,
};
/** An account at all networks it never signed in from: five of them have to fail. */
const ACCOUNT: Rule = { ...PAIR, freeFailures: 5 * PAIR.freeFailures };
const ADDRESS: Rule = { freeFailures: 50, waitMaxSeconds: WAIT_MAX_SECONDS, memorySeconds: 3600 };
/** How long a network stays familiar to an account. */
const FAMILIAR_SECONDS = 90 * 24 * 3600;

const NOW = 'to_timestamp($1::float8 / 1000)';
const seconds = (count: number): string => `interval '${count} seconds'`;

/** A counter waits while it is over the limit and its last failure's wait has not passed. */
const isWaiting = (row: string, { freeFailures, memorySeconds }: Rule): string =>
  `${row}.failures >= ${freeFailures} and ${row}.expires_at - ${seconds(memorySeconds)} > ${NOW}`;

/** Adds one failure under `key`, unless the counter is waiting; a row comes back only if it did. */
function count(key: string, rule: Rule, condition: string): string {
  const failures = `case when f.expires_at <= ${NOW} then 1 else f.failures + 1 end`;
  const wait = `case when ${failures} < ${rule.freeFailures} then 0
    else least(${rule.waitMaxSeconds}, power(2, least((${failures}) - ${rule.freeFailures}, 20))) end`;
  return `insert into sign_in_failures as f (key, failures, expires_at)
    select ${key}, 1, ${NOW} + ${seconds(rule.memorySeconds)} where ${condition}
    on conflict (key) do update set failures = ${failures},
      expires_at = ${NOW} + ${seconds(rule.memorySeconds)} + (${wait}) * ${seconds(1)}
    where not (${isWaiting('f', rule)})
    returning f.failures`;
}

/** What is left of a wait, as the statement's snapshot shows it. */
const waitOf = (key: string, rule: Rule): string =>
  `select extract(epoch from f.expires_at - ${seconds(rule.memorySeconds)} - ${NOW})
   from sign_in_failures f where f.key = ${key} and ${isWaiting('f', rule)}`;

/** Failures of a counter that are not forgotten. */
const failuresOf = (key: string): string =>
  `coalesce((select failures from sign_in_failures f where f.key = ${key} and f.expires_at > ${NOW}), 0)`;

/**
 * $1 now (ms), $2 address, $3 account, $4 account at this address, $5 mark of familiarity.
 * The next counter counts only if the one before admitted: a flood does not prolong a wait.
 */
const ATTEMPT = `
  with familiar as (
    select from sign_in_failures f where f.key = $5 and f.expires_at > ${NOW}
  ), by_address as (
    ${count('$2::text', ADDRESS, '$2::text is not null')}
  ), by_pair as (
    ${count(
      '$4::text',
      PAIR,
      `exists (select from familiar)
      or ($2::text is null or exists (select from by_address))
        and not exists (select from sign_in_failures f where f.key = $3::text and ${isWaiting('f', ACCOUNT)})`,
    )}
  ), counting as (
    select from by_pair where not exists (select from familiar)
      and (failures <= ${PAIR.freeFailures} or ${failuresOf('$3::text')} >= ${ACCOUNT.freeFailures})
  ), by_account as (
    ${count('$3::text', ACCOUNT, 'exists (select from counting)')}
  )
  select (
      select failures from by_pair
      where not exists (select from counting) or exists (select from by_account)
    ) as failures,
    greatest(
      (${waitOf('$2::text', ADDRESS)}),
      (${waitOf('$4::text', PAIR)}),
      (${waitOf('$3::text', ACCOUNT)} and not exists (select from familiar))
    )::float8 as wait`;

/** In the order of ATTEMPT (address, pair, account), so that the two cannot deadlock. */
const SUCCEEDED = `
  with by_address as (
    update sign_in_failures set failures = greatest(failures - 1, 0) where key = $2::text returning 1
  ), by_pair as (
    delete from sign_in_failures
    where key = $4 and (select count(*) from by_address) >= 0 returning 1
  ), by_account as (
    delete from sign_in_failures
    where key = $3 and (select count(*) from by_pair) >= 0 returning 1
  )
  insert into sign_in_failures as f (key, failures, expires_at)
  select $5, 0, ${NOW} + ${seconds(FAMILIAR_SECONDS)}
  where (select count(*) from by_account) >= 0
  on conflict (key) do update set expires_at = excluded.expires_at`;

export function createThrottle(db: Database, now: () => number): Throttle {
  return {
    attempt: async (who) => {
      const [row] = await db.run<{ failures: number | null; wait: number | null }>(ATTEMPT, [
        now(),
        ...keysOf(who),
      ]);
      if (typeof row?.failures === 'number') return { admitted: true, failures: row.failures };
      return { admitted: false, retryAfterSeconds: waitSeconds(row?.wait ?? 0) };
    },
    succeeded: async (who) => {
      await db.run(SUCCEEDED, [now(), ...keysOf(who)]);
    },
  };
}

const BY_ADDRESS = `
  with counted as (${count('$2::text', ADDRESS, 'true')})
  select (select failures from counted) as failures,
    (${waitOf('$2::text', ADDRESS)})::float8 as wait`;

/**
 * Counts a failure at something that has no accounts, or says how long to wait. To be asked after
 * the failure: who proves themselves is let in, however many others failed from the same address.
 */
export function createAddressThrottle(
  db: Database,
  now: () => number,
  use: string,
): (address: string) => Promise<Admission> {
  return async (address) => {
    const network = networkOf(address);
    if (network === UNKNOWN) return { admitted: true, failures: 0 };
    const [row] = await db.run<{ failures: number | null; wait: number | null }>(BY_ADDRESS, [
      now(),
      keyOf(use, network),
    ]);
    if (typeof row?.failures === 'number') return { admitted: true, failures: row.failures };
    return { admitted: false, retryAfterSeconds: waitSeconds(row?.wait ?? 0) };
  };
}

/** A waiter that another one overtook sees the wait of before; it may try in a second. */
const waitSeconds = (wait: number): number =>
  Math.min(WAIT_MAX_SECONDS, Math.max(1, Math.ceil(wait)));

/**
 * Address, account, account at this address, mark of familiarity: hashed, each for its own use.
 * Who comes from nowhere (a socket without an address) is counted by account only.
 */
function keysOf({ accountKey, address }: Attempt): [string | null, string, string, string] {
  const network = networkOf(address);
  return [
    network === UNKNOWN ? null : keyOf('address', network),
    keyOf('account', accountKey),
    keyOf('account-at', accountKey, network),
    keyOf('familiar', accountKey, network),
  ];
}

const keyOf = (kind: string, ...values: readonly string[]): string =>
  createHash('sha256')
    .update(JSON.stringify(['sign-in', kind, ...values]))
    .digest('base64url');

const UNKNOWN = 'unknown';

/** What one subscriber holds: an IPv4 address, or the /64 an IPv6 address is in. */
export function networkOf(address: string): string {
  const plain = address.replace(/%.*$/s, '').toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(plain)?.[1] ?? plain;
  if (isIPv4(mapped)) return mapped;
  if (!isIPv6(plain)) return UNKNOWN;
  const [head = '', tail] = new URL(`http://[${plain}]/`).hostname.slice(1, -1).split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return `${[...left, ...zeros, ...right].slice(0, 4).join(':')}::/64`;
}

/** For the sweeper: counters nobody needs any more; how many went. */
export async function forgetSignInFailures(
  db: Database,
  now: number,
  rowsMax: number,
): Promise<number> {
  const rows = await db.run(
    `delete from sign_in_failures where key in (
       select key from sign_in_failures where expires_at < ${NOW} limit $2::int) returning key`,
    [now, rowsMax],
  );
  return rows.length;
}
