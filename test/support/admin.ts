// Ways to call the admin API as anybody, each call from an address of its own unless told otherwise:
// failed attempts are counted by address (the broker must trust one proxy).
import { type Answer, authorize, postToken, redeem, type TestBroker } from './broker.js';
import { ANA } from './world.js';

export interface AdminCall {
  readonly authorization?: string | undefined;
  readonly body?: unknown;
  /** Sent as it is, in place of a JSON body. */
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Where it comes from. */
  readonly address?: string;
}

let addresses = 0;
export const nextAddress = (): string => {
  addresses += 1;
  return `10.${addresses >> 16}.${(addresses >> 8) & 255}.${addresses & 255}`;
};

export async function callAdmin(
  t: TestBroker,
  method: string,
  path: string,
  call: AdminCall = {},
): Promise<Answer> {
  const text = call.text ?? (call.body === undefined ? undefined : JSON.stringify(call.body));
  const response = await fetch(`${t.issuer}/admin/v1${path}`, {
    method: method.toUpperCase(),
    headers: {
      'x-forwarded-for': call.address ?? nextAddress(),
      ...(call.authorization === undefined ? {} : { authorization: call.authorization }),
      ...(text === undefined ? {} : { 'content-type': 'application/json' }),
      ...call.headers,
    },
    ...(text === undefined ? {} : { body: text }),
  });
  const answered = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: answered === '' ? undefined : JSON.parse(answered),
  };
}

export const adminOf = (t: TestBroker): string => `${t.issuer}/admin`;

/** Says who may administer, straight through the registry. */
export const permit = (t: TestBroker, principal: string, ...scopes: string[]) =>
  t.broker.registry.permissions.set('cli', { principal, resource: adminOf(t), scopes });

/** An agent's or service's own token for the admin API. */
export async function ownToken(t: TestBroker, principal: string, scope: string): Promise<string> {
  const resource = adminOf(t);
  const answer = await postToken(t, principal, {
    grant_type: 'client_credentials',
    resource,
    scope,
  });
  if (answer.status !== 200) throw new Error(`no token: ${JSON.stringify(answer.body)}`);
  return answer.body.access_token;
}

export interface Person {
  readonly email: string;
  readonly password: string;
}

export interface UserTokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly id_token?: string;
  readonly scope: string;
}

/** A user's tokens for the admin API, by the code flow; Ana's, and through no agent, unless told. */
export async function userTokens(
  t: TestBroker,
  scope: string,
  more: { readonly agent?: string; readonly user?: Person; readonly identity?: string } = {},
): Promise<UserTokens> {
  const { agent, user = ANA, identity } = more;
  // Destructive scopes are not ticked before somebody ticks them; reading comes with the others.
  const wanted = [...scope.split(' '), 'admin:read'];
  const authorized = await authorize(t, {
    params: {
      scope: identity === undefined ? scope : `${identity} ${scope}`,
      resource: adminOf(t),
      requested_actor: agent,
    },
    visitor: { email: user.email, password: user.password, scopes: wanted },
  });
  const proof = agent === undefined ? undefined : await ownActorToken(t, agent);
  const answer = await redeem(t, authorized, { actor_token: proof });
  if (answer.status !== 200) throw new Error(`no tokens: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

async function ownActorToken(t: TestBroker, agent: string): Promise<string> {
  const answer = await postToken(t, agent, {
    grant_type: 'client_credentials',
    resource: t.issuer,
  });
  return answer.body.access_token;
}
