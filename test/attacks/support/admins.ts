// Administrators of the attacked world: one that reads, one that writes, one that may stop anybody;
// and a way to call the admin API as any of them, or with whatever else is put in their place.
import { FILES } from '../../support/world.js';
import type { Answer } from './http.js';
import type { AttackWorld } from './world.js';

export type Power = 'reader' | 'writer' | 'guard';

const SCOPES: Readonly<Record<Power, readonly string[]>> = {
  reader: ['admin:read'],
  writer: ['admin:write'],
  guard: ['admin:security'],
};

export interface AdminCall {
  /** An administrator, a token as it is, or nobody. */
  readonly as?: Power | undefined;
  readonly token?: string;
  readonly body?: unknown;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export const adminAt = (w: AttackWorld): string => `${w.issuer}/admin`;

/** Registers them, and asks for their tokens; once a world. */
export function administrators(): (w: AttackWorld) => Promise<Readonly<Record<Power, string>>> {
  const known = new WeakMap<AttackWorld, Promise<Readonly<Record<Power, string>>>>();
  return (w) => {
    const made = known.get(w) ?? w.honestly(() => create(w));
    known.set(w, made);
    return made;
  };
}

async function create(w: AttackWorld): Promise<Readonly<Record<Power, string>>> {
  const tokens: Partial<Record<Power, string>> = {};
  for (const power of ['reader', 'writer', 'guard'] as const) {
    const id = `agt_${power}`;
    const made = await w.registry.agents.create('cli', { id, name: power, owner: 'Ops' });
    w.secrets[id] = made.credential?.secret as string;
    w.canaries.add(`secret of ${id}`, w.secrets[id]);
    const scopes = [...SCOPES[power]];
    await w.registry.permissions.set('cli', { principal: id, resource: adminAt(w), scopes });
    // A tool server's token of the same agent is somebody else's key.
    await w.registry.permissions.set('cli', {
      principal: id,
      resource: FILES,
      scopes: ['files:read'],
    });
    const { body } = await w.token(id, {
      grant_type: 'client_credentials',
      resource: adminAt(w),
      scope: scopes.join(' '),
    });
    tokens[power] = body.access_token;
  }
  return tokens as Record<Power, string>;
}

/** Calls as one of `team`; counts nothing against the address of earlier cases. */
export function adminCalls(team: ReturnType<typeof administrators>) {
  return async function call(
    w: AttackWorld,
    method: string,
    path: string,
    { as, token, body, text, headers }: AdminCall = {},
  ): Promise<Answer> {
    const bearer = token ?? (as === undefined ? undefined : (await team(w))[as]);
    const sent = text ?? (body === undefined ? undefined : JSON.stringify(body));
    return w.send(`/admin/v1${path}`, {
      method,
      headers: {
        accept: 'application/json',
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...(sent === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(sent === undefined ? {} : { body: sent }),
    });
  };
}

/** Time passes: earlier failures from this address are forgotten. */
export const forgiven = (w: AttackWorld) => w.db.run('delete from sign_in_failures');
