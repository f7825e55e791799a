// Somebody to attack: a user with a browser, a client they use, an agent that acts for them. Each
// step is honest: what it leaves behind is what it may leave behind.
import { pkce } from '../../support/broker.js';
import { FILES } from '../../support/world.js';
import type { Answer, Browser, Fields } from './http.js';
import type { AttackWorld } from './world.js';

export interface Person {
  readonly id: string;
  readonly email: string;
  readonly password: string;
}

export interface Code {
  readonly code: string;
  readonly verifier: string;
  readonly redirectUri: string;
}

export interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly scope: string;
  readonly id_token?: string;
}

export interface PartySetup {
  readonly user: Person;
  readonly client: string;
  readonly redirectUri: string;
  /** Empty: no agent acts. */
  readonly agent: string;
  /** Asked for, and consented to, at the file server. */
  readonly scope: string;
}

export type Query = Readonly<Record<string, string | readonly string[] | undefined>>;

export function createParty(w: AttackWorld, setup: PartySetup) {
  const { user, client, redirectUri, agent } = setup;
  const browser: Browser = w.browser();

  const query = (challenge: string, more: Query = {}): Query => ({
    response_type: 'code',
    client_id: client,
    redirect_uri: redirectUri,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    state: 'the-state',
    scope: setup.scope,
    resource: FILES,
    requested_actor: agent === '' ? undefined : agent,
    ...more,
  });
  /** The address of an authorization request; PKCE's verifier is nobody's unless given. */
  const url = (more: Query = {}, challenge: string = pkce().challenge): string =>
    `${w.issuer}/authorize?${w.encode(query(challenge, more))}`;

  /** Signs in and allows whatever is asked, through the pages. */
  const consent = (more: Query = {}): Promise<Code> =>
    w.honestly(async () => {
      const { verifier, challenge } = pkce();
      const answer = await w.walk(browser, url(more, challenge), user);
      return { code: codeIn(answer), verifier, redirectUri };
    });
  /** A code in silence: there is a consent, and the browser is signed in. */
  const code = (more: Query = {}): Promise<Code> =>
    w.honestly(async () => {
      const { verifier, challenge } = pkce();
      return { code: codeIn(await browser.get(url(more, challenge))), verifier, redirectUri };
    });
  const actorToken = (): Promise<string> => w.actorToken(agent);

  /** What a correct redemption sends. */
  const redemption = async (from: Code, more: Fields = {}): Promise<Fields> => ({
    grant_type: 'authorization_code',
    code: from.code,
    code_verifier: from.verifier,
    redirect_uri: from.redirectUri,
    ...(agent === '' || 'actor_token' in more ? {} : { actor_token: await actorToken() }),
    ...more,
  });
  /** Redeems a code, with whatever an attacker changes about it. */
  const redeem = async (from: Code, more: Fields = {}, as = client): Promise<Answer> =>
    w.token(as, await redemption(from, more));
  const tokens = async (from?: Code): Promise<Tokens> => {
    const source = from ?? (await code());
    return w.honestly(async () => {
      const answer = await redeem(source);
      if (answer.status !== 200) throw new Error(`no tokens: ${answer.status} ${answer.text}`);
      return answer.body as Tokens;
    });
  };
  const refresh = (token: string, more: Fields = {}, as = client): Promise<Answer> =>
    w.token(as, { grant_type: 'refresh_token', refresh_token: token, ...more });

  return {
    ...setup,
    browser,
    query,
    url,
    consent,
    code,
    actorToken,
    redemption,
    redeem,
    tokens,
    refresh,
  };
}

export type Party = ReturnType<typeof createParty>;

export function codeIn(answer: Answer): string {
  const location = answer.headers.location ?? '';
  const code = URL.canParse(location) ? new URL(location).searchParams.get('code') : null;
  if (code === null) throw new Error(`no code: ${answer.status} ${location} ${answer.text}`);
  return code;
}
