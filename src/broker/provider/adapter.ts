/**
 * The engine's storage. Values are hashed before they become keys and taken out of the payload, so
 * the table yields no usable token; whatever may happen only once is one conditional statement with
 * a row count (the engine itself finds, checks, then writes). Registrations come
 * from the registry, not from here.
 */
import type { Adapter, AdapterPayload, InteractionResults } from 'oidc-provider';
import { errors, Provider } from 'oidc-provider';
import { artifactKey } from '../artifact-key.js';
import type { Database } from '../db/database.js';
import { requestState } from '../http/request.js';
import type { Secrets } from '../keys/secrets.js';
import {
  CONSUME,
  DESTROY,
  FIND,
  FIND_SESSION,
  INSERT_ONCE,
  KEEP_RESULT,
  UPSERT,
  UPSERT_SESSION,
} from './artifact-sql.js';
import { LOST_RACE } from './errors.js';
import { replayed } from './replayed.js';

export interface AdapterDeps {
  readonly db: Database;
  readonly secrets: Secrets;
  /** The engine's metadata of an agent or client; undefined when it may not authenticate. */
  readonly findClient: (id: string) => Promise<AdapterPayload | undefined>;
  /** The engine's Grant, written out of ours; undefined when it has ended. */
  readonly findGrant: (id: string) => Promise<AdapterPayload | undefined>;
  /** A grant of which nothing was ever issued. */
  readonly abandonGrant: (id: string, requestId: string) => Promise<void>;
  /** Milliseconds. */
  readonly now: () => number;
  /** RFC 7009 and replay end a grant here. */
  readonly endGrant: (
    grantId: string,
    reason: string,
    by: string,
    requestId?: string,
  ) => Promise<void>;
}

interface ArtifactRow {
  readonly payload: Record<string, unknown>;
  readonly consumed_at: Date | null;
  /** Milliseconds since then, on the database's clock. */
  readonly used_ago_ms: number | null;
  readonly ended: boolean;
}

/** Their payload is a browser's or client's whole request: sealed, not only keyed by a hash. */
const SEALED_MODELS = new Set(['Interaction', 'PushedAuthorizationRequest']);
/** For what the engine stores without a life (nothing today): kept for a year, not for ever. */
const LIFE_DEFAULT_SECONDS = 365 * 24 * 3600;

export function createAdapterFactory(deps: AdapterDeps): (model: string) => Adapter {
  return (model) => {
    if (model === 'Client') return clientAdapter(deps);
    return model === 'Grant' ? grantAdapter(deps) : artifactAdapter(deps, model);
  };
}

const never = async (): Promise<undefined> => undefined;

/** Read only: grants are written where users decide, and end there. */
function grantAdapter({ findGrant, endGrant }: AdapterDeps): Adapter {
  const refuse = async (): Promise<never> => {
    throw new Error('the engine writes no grants');
  };
  return {
    find: findGrant,
    upsert: refuse,
    consume: refuse,
    destroy: (id) => {
      const ctx = Provider.ctx;
      const requestId = ctx === undefined ? undefined : requestState(ctx).id;
      return endGrant(id, 'revoked', ctx?.oidc?.client?.clientId ?? 'system', requestId);
    },
    findByUid: never,
    findByUserCode: never,
    revokeByGrantId: never,
  };
}

function clientAdapter({ findClient }: AdapterDeps): Adapter {
  const refuse = async (): Promise<never> => {
    throw new errors.InvalidRequest('clients are registered by an operator');
  };
  return {
    find: findClient,
    upsert: refuse,
    destroy: refuse,
    consume: refuse,
    findByUid: never,
    findByUserCode: never,
    revokeByGrantId: never,
  };
}

function artifactAdapter({ db, secrets, abandonGrant, now }: AdapterDeps, model: string): Adapter {
  const codec = createCodec(secrets, model);
  const isSession = model === 'Session';
  const find = isSession ? FIND_SESSION : FIND;
  const once = async (
    text: string,
    params: readonly unknown[],
    lost: () => Error | Promise<Error>,
  ): Promise<void> => {
    const rows = await db.run(text, params);
    if (rows.length === 0) throw await lost();
  };
  const read = async (column: 'id' | 'uid', value: string): Promise<ArtifactRow | undefined> => {
    const [row] = await db.run<ArtifactRow>(`${find} a.${column} = $2`, [
      model,
      artifactKey(model, value),
    ]);
    if (row !== undefined && READ_TWICE.has(model)) noteUse(row, now());
    return row;
  };
  return {
    find: async (id) => codec.fromRow(await rememberInRequest(model, id, () => read('id', id)), id),
    findByUid: async (uid) => codec.fromRow(await read('uid', uid)),
    findByUserCode: async () => undefined,
    upsert: async (id, payload, expiresIn) => {
      const params = [
        model,
        artifactKey(model, id),
        codec.toRow(model === 'RefreshToken' ? { ...payload, ...predecessor() } : payload),
        payload.grantId ?? null,
        isSession ? artifactKey(model, payload.uid as string) : null,
        expiresIn ?? LIFE_DEFAULT_SECONDS,
      ];
      if (model === 'ReplayDetection') await once(INSERT_ONCE, params, () => replayed(id));
      else if (model === 'Interaction' && payload.result !== undefined)
        await once(KEEP_RESULT, [...params.slice(0, 3), answerIn(payload.result)], interactionGone);
      else await db.run(isSession ? UPSERT_SESSION : UPSERT, params);
    },
    consume: async (id) => {
      try {
        await once(CONSUME, [model, artifactKey(model, id)], LOST_TO_ANOTHER[model] ?? codeLost);
      } catch (error) {
        // The engine uses a pushed request up last: what was made for the loser goes with it.
        const state = Provider.ctx === undefined ? undefined : requestState(Provider.ctx);
        if (state?.madeGrantId !== undefined) await abandonGrant(state.madeGrantId, state.id);
        throw error;
      }
    },
    destroy: async (id) => {
      const params = [model, artifactKey(model, id)];
      if (model === 'Interaction') await once(DESTROY, params, interactionGone);
      else await db.run(DESTROY, params);
    },
    // Nothing is deleted by grant: the grant's end is one row, and every read looks at it.
    revokeByGrantId: async () => undefined,
  };
}

/** Between the engine's payload and what a reader of the table may see of it. */
function createCodec(secrets: Secrets, model: string) {
  const sealed = SEALED_MODELS.has(model);
  return {
    toRow: (payload: AdapterPayload): string => {
      const { jti: _value, ...rest } = payload as Record<string, unknown>;
      // PostgreSQL keeps no NUL; what a browser put into its own session is its own loss (P9).
      const text = JSON.stringify(rest).replaceAll('\\u0000', '\\ufffd');
      return sealed ? JSON.stringify({ sealed: secrets.seal('artifacts', text) }) : text;
    },
    fromRow: (row: ArtifactRow | undefined, id?: string): AdapterPayload | undefined => {
      // What hangs on an ended grant or consent does not exist (DESIGN §6, ends).
      if (row === undefined || row.ended) return undefined;
      const { payload, consumed_at: consumedAt } = row;
      return {
        ...(sealed ? JSON.parse(secrets.open('artifacts', payload.sealed as string)) : payload),
        ...(id === undefined ? {} : { jti: id }),
        ...(consumedAt === null || model === 'Interaction'
          ? {}
          : { consumed: consumedAt.getTime() / 1000 }),
      };
    },
  };
}

function noteUse({ used_ago_ms: usedAgoMs }: ArtifactRow, nowMs: number): void {
  const ctx = Provider.ctx;
  if (ctx === undefined || usedAgoMs === null) return;
  const state = requestState(ctx);
  state.usedBeforeArrival = Number(usedAgoMs) > nowMs - state.arrivedAtMs;
}

/** A refresh token knows which one it follows: using it erases the answer that was kept there. */
function predecessor(): { predecessor?: string } {
  const rotated = Provider.ctx?.oidc?.entities.RotatedRefreshToken as { jti: string } | undefined;
  return rotated === undefined ? {} : { predecessor: artifactKey('RefreshToken', rotated.jti) };
}

const codeLost = (): Error => new errors.InvalidGrant(LOST_RACE);
const LOST_TO_ANOTHER: Readonly<Record<string, () => Error>> = {
  PushedAuthorizationRequest: () =>
    new errors.InvalidRequestUri('request_uri is invalid, expired, or was already used'),
};

/** Read by our wrapper, then again by the engine's handler; using them is conditional either way. */
const READ_TWICE = new Set(['AuthorizationCode', 'RefreshToken']);
const reads = new WeakMap<object, Map<string, Promise<ArtifactRow | undefined>>>();

function rememberInRequest(
  model: string,
  id: string,
  read: () => Promise<ArtifactRow | undefined>,
): Promise<ArtifactRow | undefined> {
  const request = Provider.ctx?.req;
  if (request === undefined || !READ_TWICE.has(model)) return read();
  const known = reads.get(request) ?? new Map<string, Promise<ArtifactRow | undefined>>();
  reads.set(request, known);
  const key = `${model}\n${id}`;
  const reading = known.get(key) ?? read();
  known.set(key, reading);
  return reading;
}

/** The grant of a yes, `denied` for a no; a sign-in is only on the way there. */
function answerIn(result: InteractionResults): string | null {
  if ('error' in result) return 'denied';
  return result.consent?.grantId ?? null;
}

const interactionGone = (): Error =>
  new errors.SessionNotFound('this sign-in was already completed in another window');

/** Deletes what has expired, a bounded number at a time; safe from several processes at once. */
export async function sweepArtifacts(db: Database, limit: number): Promise<number> {
  const rows = await db.run(
    `delete from artifacts where (model, id) in (
       select model, id from artifacts where expires_at < clock_timestamp()
       order by expires_at limit $1 for update skip locked) returning 1`,
    [limit],
  );
  return rows.length;
}
