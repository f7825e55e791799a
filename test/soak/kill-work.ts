// What goes on while the broker is killed: own tokens, a user's consents, newcomers to the registry
// who are stopped again, signing keys. Every kind of stop of DESIGN §6, over HTTP.
import { randomUUID } from 'node:crypto';
import {
  type Browserless,
  createBrowserless,
  type Visitor,
  walkPages,
} from '../../examples/demo/walk-pages.js';
import {
  actorToken,
  authFor,
  authorizeUrl,
  basic,
  claimsOf,
  headerOf,
  pkce,
  postForm,
  type TestBroker,
} from '../support/broker.js';
import { admin } from '../support/keys.js';
import { AGENT, ANA, CALLBACK, FILES, HOST } from '../support/world.js';
import { type Journal, stop, succeeded, told } from './kill-journal.js';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const FIRST_CREDENTIAL = 'crd_helper';
const OWN = { grant_type: 'client_credentials', resource: FILES, scope: 'files:read' };

export interface Work {
  readonly t: TestBroker;
  readonly journal: Journal;
  /** Ana's: signed in once. */
  readonly browser: Browserless;
}
type Step = (work: Work, n: number) => Promise<void>;

/** Until the broker is gone; what it refuses while it is there is wrong, and ends the work. */
export async function workOn(work: Work, steps: readonly Step[], from: number): Promise<void> {
  await Promise.all(
    steps.map(async (step) => {
      let problem: unknown;
      for (let n = from; problem === undefined || isBusy(problem); n += 1) {
        problem = await step(work, n).catch((error: unknown) => error);
        if (problem === undefined) work.journal.done.add(step.name);
      }
      // A TypeError is what fetch throws when there is nobody.
      if (!(problem instanceof TypeError)) work.journal.wrong.push(`${step.name}: ${problem}`);
    }),
  );
}

/** A machine that has too much to do answers 503, which promises nothing. */
const isBusy = (problem: unknown): boolean =>
  /\b503\b|temporarily_unavailable/.test(String(problem));

/** RFC 7009 for one token, the credential behind another; and the key that signs them gives way. */
const ownTokens: Step = async ({ t, journal }, n) => {
  if (n % 3 === 0) {
    succeeded(await admin(t, 'POST', '/keys/rotate', {}));
    return;
  }
  if (n % 3 === 1) {
    const answer = await postForm(`${t.issuer}/token`, OWN, authFor(t, AGENT));
    const token = told(journal, answer, AGENT);
    await stop(journal, String(claimsOf(token).jti), () =>
      postForm(`${t.issuer}/revoke`, { token }, authFor(t, AGENT)),
    );
    return;
  }
  const path = `/agents/${AGENT}/credentials`;
  const remove = (id: string) => stop(journal, id, () => admin(t, 'DELETE', `${path}/${id}`));
  // Those of rounds that ended before they were removed: there may be five.
  const left = succeeded(await admin(t, 'GET', path)).body.items as { readonly id: string }[];
  for (const { id } of left) if (id !== FIRST_CREDENTIAL) await remove(id);
  const { id, secret } = succeeded(await admin(t, 'POST', path, { kind: 'secret' })).body;
  const authorization = basic(AGENT, secret);
  told(journal, await postForm(`${t.issuer}/token`, OWN, { authorization }), AGENT);
  await remove(id);
};

interface Story {
  readonly visitor: Visitor;
  readonly client: string;
  readonly agent: string;
}

/** Consents by the pages, and redeems. @returns the token, and what else came with it */
async function delegate({ t, journal, browser }: Work, story: Story) {
  const { verifier, challenge } = pkce();
  const asked = { client_id: story.client, requested_actor: story.agent };
  const callback = await walkPages(browser, authorizeUrl(t, challenge, asked), story.visitor);
  const fields = {
    grant_type: 'authorization_code',
    code: callback.searchParams.get('code') ?? '',
    code_verifier: verifier,
    redirect_uri: CALLBACK,
    actor_token: await actorToken(t, story.agent),
  };
  const answer = await postForm(`${t.issuer}/token`, fields, authFor(t, story.client));
  const token = told(journal, answer, story.client);
  return { token, refreshToken: answer.body.refresh_token as string };
}

/** A grant, or the consent above it, after everything that can hang on it. */
const consents: Step = async (work, n) => {
  const { t, journal } = work;
  const story = { visitor: ANA, client: HOST, agent: AGENT };
  const { token, refreshToken } = await delegate(work, story);
  const subject = {
    grant_type: EXCHANGE,
    subject_token: token,
    subject_token_type: ACCESS_TOKEN,
  };
  told(journal, await postForm(`${t.issuer}/token`, subject, authFor(t, AGENT)), AGENT);
  const refresh = { grant_type: 'refresh_token', refresh_token: refreshToken };
  told(journal, await postForm(`${t.issuer}/token`, refresh, authFor(t, HOST)), HOST);
  const [consent = '', grant = ''] = String(claimsOf(token).jti).split('.');
  await (n % 2 === 0
    ? stop(journal, `${consent}.${grant}`, () => admin(t, 'DELETE', `/grants/${grant}`))
    : stop(journal, consent, () => admin(t, 'DELETE', `/consents/${consent}`)));
};

const REASON = 'they are to stop';

/** Somebody new signs in, lets a new agent act through a new client; then one of the three stops. */
const newcomers: Step = async (work, n) => {
  const { t, journal } = work;
  const made = async (path: string, body: object): Promise<string> => {
    const { id, credential } = succeeded(await admin(t, 'POST', path, body)).body;
    if (credential !== undefined) (t.secrets as Record<string, string>)[id] = credential.secret;
    return id;
  };
  const email = `${randomUUID()}@example.com`;
  const { password } = ANA;
  const user = await made('/users', { email, name: 'Newcomer', password });
  const app = { name: 'App', kind: 'app', redirect_uris: [CALLBACK], auth: 'client_secret_basic' };
  const client = await made('/clients', app);
  const agent = await made('/agents', { name: 'Agent', owner: 'Ops', clients: [client] });
  const at = `/permissions/${agent}/${encodeURIComponent(FILES)}`;
  succeeded(await admin(t, 'PUT', at, { scopes: ['files:write'] }));
  const browser = createBrowserless(t.issuer);
  await delegate({ t, journal, browser }, { visitor: { email, password }, client, agent });
  const [key, path, status] = (
    [
      [agent, `/agents/${agent}`, 'blocked'],
      [user, `/users/${user}`, 'disabled'],
      [client, `/clients/${client}`, undefined],
      [agent, `/agents/${agent}`, undefined],
      [user, `/users/${user}`, undefined],
    ] as const
  )[n % 5] as readonly [string, string, string | undefined];
  await stop(journal, key, () =>
    status === undefined
      ? admin(t, 'DELETE', path)
      : admin(t, 'PUT', `${path}/status`, { status, reason: REASON }),
  );
  journal.off.push(path);
};

/** A key is retired at once: what it signed stops, whoever it was for. */
const emergencies: Step = async ({ t, journal }) => {
  const answer = await postForm(`${t.issuer}/token`, OWN, authFor(t, AGENT));
  const { kid } = headerOf(told(journal, answer, AGENT));
  const body = { compromised: true, reason: REASON };
  await stop(journal, `kid:${kid}`, () => admin(t, 'POST', `/keys/${kid}/retire`, body));
};

/** What goes on in each round, and what has to have happened once before it is the first to be killed. */
export const ROUNDS: ReadonlyArray<{ readonly steps: readonly Step[]; readonly once: string }> = [
  { steps: [ownTokens, consents, newcomers], once: ownTokens.name },
  { steps: [consents, newcomers], once: consents.name },
  { steps: [consents, newcomers], once: newcomers.name },
  { steps: [ownTokens, consents, newcomers], once: consents.name },
  { steps: [newcomers], once: newcomers.name },
  // Alone: to whoever else works meanwhile, any answer may be that the key is gone.
  { steps: [emergencies], once: emergencies.name },
];
