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

/** What a stop ends; each part finds some of it, and they may find the same. */
export interface Hanging {
  /** Rows of recorded tokens, whether alive or not. */
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

/** No token lives longer. */
const RECENT = sql.raw(`clock_timestamp() - make_interval(secs => ${TOKEN_TTL_MAX_SECONDS})`);

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
      ...(none(grants) ? [] : [recorded(sql`e.grant_id = any(${list(grants)})`)]),
      ...(none(credentials) ? [] : [tokensOfCredentials(credentials)]),
      ...(none(tokens) ? [] : [below(sql`e.jti = any(${list(tokens)})`)]),
      ...(none(roots) ? [] : [recorded(sql`split_part(e.jti, '.', 1) = any(${list(roots)})`)]),
      ...of('key').map(signedBy),
      ...parties.flatMap(tokensOfParties),
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

const TOKEN = sql`e.id, e.jti, e.sub, e.client_id, e.agent_id, e.detail`;

const recorded = (which: SQL, events = sql`audit_events`): SQL => sql`
  select ${TOKEN} from ${events} e where e.type = 'token.issued' and e.at > ${RECENT} and ${which}`;

/** By their index and nothing else (`offset 0` keeps it so): nobody can guess how few they are. */
const CHILDREN = sql`(select * from audit_events where detail->>'parent' = b.jti offset 0)`;

/** Tokens of which something holds, and what was exchanged from them, step by step. */
const below = (holds: SQL): SQL => sql`
  select * from (
    with recursive below as (
      ${recorded(holds)}
      union
      select d.* from below b cross join lateral (${recorded(sql`true`, CHILDREN)}) d)
    select * from below) as found`;

const tokensOfConsents = (ids: readonly string[]): SQL =>
  recorded(sql`e.grant_id in (select id from grants where consent_id = any(${list(ids)}))`);

const tokensOfCredentials = (credentials: readonly Credential[]): SQL =>
  recorded(sql`e.sub = any(${list(credentials.map(({ principal }) => principal))})
    and split_part(e.jti, '.', 1) = any(${list(credentials.map(({ id }) => id))})`);

const signedBy = (key: Of<'key'>): SQL =>
  recorded(sql`e.detail->>'kid' = ${key.kid}
    and ${'until' in key ? sql`e.at <= ${instant(key.until)}` : sql`e.at > ${instant(key.after)}`}`);

function tokensOfParties({ kind, ids }: Parties): SQL[] {
  const these = list(ids);
  if (kind === 'user') return [recorded(sql`e.sub = any(${these})`)];
  const acting = sql`e.agent_id = any(${these})`;
  if (kind === 'agent') return [below(acting)];
  const fronted = sql`e.client_id = any(${these})
    and exists (select 1 from agents a where a.id = e.agent_id and e.client_id = any(a.clients))`;
  return [
    recorded(sql`e.sub = any(${these})`),
    recorded(sql`e.grant_id in (select id from grants where client_id = any(${these}))`),
    below(sql`(${acting} or (${fronted}))`),
  ];
}

const grantsOfParties = ({ kind, ids, sinces }: Parties): SQL => sql`
  g.${COLUMN[kind]} = any(${list(ids)}) and g.ended_at is null and c.ended_at is null
  and exists (select 1 from unnest(${list(ids)},
      ${list(sinces.map((since) => since.toISOString()))}::timestamptz[]) as p(id, since)
    where p.id = g.${COLUMN[kind]} and g.created_at >= p.since)`;
