/**
 * What hangs on whoever is stopped, as conditions of SQL: tokens in the log of what was issued, grants,
 * consents. Ends of one kind are asked about together, so that a stop of a thousand keys costs what
 * a stop of one does.
 */
import { type SQL, sql } from 'drizzle-orm';
import { TOKEN_TTL_MAX_SECONDS } from '../limits.js';

type PartyKind = 'agent' | 'client' | 'user';
/** Tokens: grants and consents wait. Grants: what hangs on them too. Consents: everything. */
type Reach = 'tokens' | 'grants' | 'consents';

/** Whose end it is. */
export type Ended =
  /** Live until this transaction. */
  | { readonly kind: 'consents'; readonly ids: readonly string[] }
  | { readonly kind: 'grant'; readonly id: string }
  | { readonly kind: 'credential'; readonly id: string; readonly principal: string }
  /** These, and whatever was exchanged from them. */
  | { readonly kind: 'tokens'; readonly ids: readonly string[] }
  /** All that began with these consents and credentials; they themselves go on. */
  | { readonly kind: 'roots'; readonly ids: readonly string[] }
  /** What a key signed until then, or later than then. */
  | { readonly kind: 'key'; readonly kid: string; readonly until: Date }
  | { readonly kind: 'key'; readonly kid: string; readonly after: Date }
  /** A client's grants alone: its tokens are told as what they are. */
  | { readonly kind: 'grants'; readonly client: string; readonly since: Date }
  | {
      readonly kind: PartyKind;
      readonly id: string;
      readonly reach: Reach;
      /** Its `notBefore` until now: what is older had ended already. */
      readonly since: Date;
    };

type Party = Extract<Ended, { readonly reach: Reach }>;
type Credential = Extract<Ended, { readonly kind: 'credential' }>;
type Of<Kind extends Ended['kind']> = Extract<Ended, { readonly kind: Kind }>;

/** What a stop ends; each condition finds some of it, and they may find the same. */
export interface Hanging {
  /** About `audit_events e`. */
  readonly tokens: readonly SQL[];
  /** About `grants g` joined to their `consents c`; what this very transaction ended still counts. */
  readonly grants: readonly SQL[];
  /** About `consents k`. */
  readonly consents: readonly SQL[];
  /** Whoever ends now: whose state does not tell that something had ended before. */
  readonly parties: readonly string[];
  /** Whether what hangs on grants ends though they themselves wait: opaque tokens. */
  readonly waiting: readonly SQL[];
}

export const RECENT = sql.raw(
  `clock_timestamp() - make_interval(secs => ${TOKEN_TTL_MAX_SECONDS})`,
);

/** Audit columns hold who acts; of a client, whoever the token was for. */
const COLUMN = { agent: sql`agent_id`, client: sql`client_id`, user: sql`user_id` };

export const list = (ids: readonly string[]): SQL =>
  sql`array(select jsonb_array_elements_text(${JSON.stringify(ids)}::text::jsonb))`;
const instant = (at: Date): SQL => sql`${at.toISOString()}::timestamptz`;

export function hanging(ended: readonly Ended[]): Hanging {
  const of = <Kind extends Ended['kind']>(kind: Kind): Of<Kind>[] =>
    ended.filter((one): one is Of<Kind> => one.kind === kind);
  const idsOf = (kind: 'consents' | 'tokens' | 'roots'): string[] =>
    of(kind).flatMap(({ ids }) => ids);
  const [consents, tokens, roots] = [idsOf('consents'), idsOf('tokens'), idsOf('roots')];
  const grants = of('grant').map(({ id }) => id);
  const credentials = of('credential');
  const parties = partiesOf(ended);
  const whole = parties.filter(({ reach }) => reach !== 'tokens');
  const none = (ids: readonly unknown[]): boolean => ids.length === 0;
  return {
    tokens: [
      ...(none(consents) ? [] : [tokensOfConsents(consents)]),
      ...(none(grants) ? [] : [sql`e.grant_id = any(${list(grants)})`]),
      ...(none(credentials) ? [] : [tokensOfCredentials(credentials)]),
      ...(none(tokens) ? [] : [sql`e.id in (${below(sql`p.jti = any(${list(tokens)})`)})`]),
      ...(none(roots) ? [] : [sql`split_part(e.jti, '.', 1) = any(${list(roots)})`]),
      ...of('key').map(signedBy),
      ...parties.map(tokensOfParties),
    ],
    grants: [
      ...(none(consents) ? [] : [sql`c.id = any(${list(consents)}) and g.ended_at is null`]),
      ...(none(grants) ? [] : [sql`g.id = any(${list(grants)}) and c.ended_at is null`]),
      ...of('grants').map(({ client, since }) =>
        grantsOfParties({ kind: 'client', ids: [client], sinces: [since] }),
      ),
      ...whole.map(grantsOfParties),
    ],
    waiting: parties.filter(({ reach }) => reach === 'tokens').map(grantsOfParties),
    consents: [
      ...(none(consents) ? [] : [sql`k.id = any(${list(consents)})`]),
      ...parties
        .filter(({ reach }) => reach === 'consents')
        .map(({ kind, ids }) => sql`k.${COLUMN[kind]} = any(${list(ids)}) and k.ended_at is null`),
    ],
    parties: [...parties.flatMap(({ ids }) => ids), ...of('grants').map(({ client }) => client)],
  };
}

interface Parties {
  readonly kind: PartyKind;
  readonly ids: readonly string[];
  readonly sinces: readonly Date[];
}

/** Those of one kind and reach together. */
function partiesOf(ended: readonly Ended[]): (Parties & { readonly reach: Reach })[] {
  const parties = ended.filter((one): one is Party => 'reach' in one);
  const groups = new Map<string, Party[]>();
  for (const party of parties) {
    const name = `${party.kind} ${party.reach}`;
    groups.set(name, [...(groups.get(name) ?? []), party]);
  }
  return [...groups.values()].map((group) => {
    const { kind, reach } = group[0] as Party;
    const sinces = group.map(({ since }) => since);
    return { kind, reach, ids: group.map(({ id }) => id), sinces };
  });
}

const tokensOfConsents = (ids: readonly string[]): SQL =>
  sql`e.grant_id in (select id from grants where consent_id = any(${list(ids)}))`;

const tokensOfCredentials = (credentials: readonly Credential[]): SQL => sql`
  e.sub = any(${list(credentials.map(({ principal }) => principal))})
  and split_part(e.jti, '.', 1) = any(${list(credentials.map(({ id }) => id))})`;

const signedBy = (key: Of<'key'>): SQL => sql`e.detail->>'kid' = ${key.kid}
  and ${'until' in key ? sql`e.at <= ${instant(key.until)}` : sql`e.at > ${instant(key.after)}`}`;

function tokensOfParties({ kind, ids }: Parties): SQL {
  const these = list(ids);
  if (kind === 'user') return sql`e.sub = any(${these})`;
  if (kind === 'agent') return sql`e.id in (${below(sql`p.agent_id = any(${these})`)})`;
  const fronted = sql`p.client_id = any(${these})
    and exists (select 1 from agents a where a.id = p.agent_id and p.client_id = any(a.clients))`;
  return sql`(e.sub = any(${these})
    or e.grant_id in (select id from grants where client_id = any(${these}))
    or e.id in (${below(sql`(p.agent_id = any(${these}) or (${fronted}))`)}))`;
}

const grantsOfParties = ({ kind, ids, sinces }: Parties): SQL => sql`
  g.${COLUMN[kind]} = any(${list(ids)}) and g.ended_at is null and c.ended_at is null
  and exists (select 1 from unnest(${list(ids)},
      ${list(sinces.map((since) => since.toISOString()))}::timestamptz[]) as p(id, since)
    where p.id = g.${COLUMN[kind]} and g.created_at >= p.since)`;

/** Tokens of which something holds, and what was exchanged from them, step by step. */
const below = (holds: SQL): SQL => sql`
  with recursive below as (
    select p.id, p.jti from audit_events p
    where p.type = 'token.issued' and p.at > ${RECENT} and ${holds}
    union
    select d.id, d.jti from below b join audit_events d on d.detail->>'parent' = b.jti
    where d.type = 'token.issued' and d.at > ${RECENT})
  select id from below`;
