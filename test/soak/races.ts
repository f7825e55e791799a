// Races of DESIGN §9.3 as data: what is contended for, how one attempt is made, and what it came to.
// The soak runs them by the ten thousand, the smoke test by the handful.
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import {
  createBrowserless,
  type Form,
  formsOf,
  type Page,
} from '../../examples/demo/walk-pages.js';
import { agents, credentials, permissions } from '../../schema/index.js';
import type { Cluster } from '../races/support/cluster.js';
import { inBatches } from '../races/support/cluster.js';
import { type Code, type CodeSource, redemption } from '../races/support/codes.js';
import { type Answer, authorizeUrl, pkce, type TestBroker } from '../support/broker.js';
import { AGENT, ANA, FILES, HOST } from '../support/world.js';

/** What one attempt came to: it won this, it lost as it should, or something else happened. */
export type Outcome = { readonly won: string } | 'lost' | { readonly wrong: string };

/** Something that may happen once, and is attempted many times. */
export type Trial = (n: number, origin: string) => Promise<Outcome>;

export interface Race {
  readonly name: string;
  /** Trials to be run within a minute, each with everything it contends for. */
  prepare(count: number, parallel: number): Promise<Trial[]>;
}

const wrong = ({ status, body }: Answer): Outcome => ({
  wrong: `${status} ${JSON.stringify(body).slice(0, 200)}`,
});

/** At the token endpoint; what is won is told apart by `of`. */
const atToken = (answer: Answer, lost: readonly string[], of: string): Outcome => {
  if (answer.status === 200) return { won: answer.body[of] as string };
  return lost.includes(`${answer.status} ${answer.body.error}`) ? 'lost' : wrong(answer);
};

const AT_ONCE = 20;
const LOST_GRANT = ['400 invalid_grant'];

export async function createRaces(cluster: Cluster, source: CodeSource): Promise<Race[]> {
  const signer = await registerSigner(cluster);
  return [
    codes(cluster, source),
    refreshTokens(cluster, source),
    actorTokens(cluster, source),
    clientAssertions(cluster, signer),
    pushedRequests(cluster, source),
    interactions(cluster),
  ];
}

const codes = (cluster: Cluster, source: CodeSource): Race => ({
  name: 'codes',
  prepare: async (count, parallel) => {
    const proofs = await source.actorTokens(count * parallel);
    const fresh = await source.codes(count, AGENT);
    return fresh.map((code, at) => async (n, origin) => {
      const fields = redemption(code, proofs[at * parallel + n]);
      return atToken(
        await cluster.post(origin, '/token', fields, HOST),
        LOST_GRANT,
        'access_token',
      );
    });
  },
});

/** Within the grace, several may get the same answer: what is won is the one successor. */
const refreshTokens = (cluster: Cluster, source: CodeSource): Race => ({
  name: 'refresh tokens',
  prepare: async (count) => {
    const first = await inBatches(await source.codes(count), AT_ONCE, (code) =>
      cluster.post(cluster.issuer, '/token', redemption(code), HOST),
    );
    return first.map(({ body }) => async (_n, origin) => {
      const fields = { grant_type: 'refresh_token', refresh_token: body.refresh_token as string };
      return atToken(
        await cluster.post(origin, '/token', fields, HOST),
        LOST_GRANT,
        'refresh_token',
      );
    });
  },
});

/** One proof, presented with many codes of which none is burnt by losing. */
const actorTokens = (cluster: Cluster, source: CodeSource): Race => ({
  name: 'actor tokens',
  prepare: async (count, parallel) => {
    const proofs = await source.actorTokens(count);
    const fresh = await source.codes(count * parallel, AGENT);
    return proofs.map((proof, at) => async (n, origin) => {
      const fields = redemption(fresh[at * parallel + n] as Code, proof);
      return atToken(
        await cluster.post(origin, '/token', fields, HOST),
        LOST_GRANT,
        'access_token',
      );
    });
  },
});

const SIGNER = 'agt_signer';

async function registerSigner({ opened, issuer }: Cluster): Promise<() => Promise<string>> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), alg: 'ES256' };
  const { orm } = opened.db;
  await orm
    .insert(agents)
    .values({ id: SIGNER, name: 'Signer', owner: 'Example Ops', auth: 'private_key_jwt' });
  await orm.insert(credentials).values({ id: 'crd_signer', principal: SIGNER, kind: 'jwk', jwk });
  await orm
    .insert(permissions)
    .values({ principal: SIGNER, resource: FILES, scopes: ['files:read'] });
  return () =>
    new SignJWT({ iss: SIGNER, sub: SIGNER, aud: issuer, jti: crypto.randomUUID() })
      .setProtectedHeader({ alg: 'ES256' })
      .setExpirationTime('60s')
      .sign(privateKey);
}

/** Their `jti` is a replay insert, the engine's own. */
const clientAssertions = (cluster: Cluster, sign: () => Promise<string>): Race => ({
  name: 'client assertions',
  prepare: async (count) =>
    inBatches([...Array(count).keys()], AT_ONCE, async () => {
      const fields = {
        grant_type: 'client_credentials',
        resource: FILES,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: await sign(),
      };
      return async (_n, origin) =>
        atToken(
          await cluster.post(origin, '/token', fields),
          ['401 invalid_client'],
          'access_token',
        );
    }),
});

const codeIn = (location: string): string | null =>
  URL.canParse(location) ? new URL(location).searchParams.get('code') : null;

const pushedRequests = (cluster: Cluster, source: CodeSource): Race => ({
  name: 'pushed requests',
  prepare: async (count) =>
    inBatches([...Array(count).keys()], AT_ONCE, async () => {
      const url = await source.push(AGENT);
      return async (_n, origin) => {
        const { status, location } = await source.follow(url.replace(cluster.issuer, origin));
        const code = codeIn(location);
        if (code !== null) return { won: code };
        const isLost = status === 400 || location.includes('error=invalid_request_uri');
        return isLost ? 'lost' : { wrong: `${status} ${location}` };
      };
    }),
});

/** Below what one account may fail before it waits. */
const SIGN_INS_AT_ONCE = 3;

/** One consent page, decided many times at once: each decision goes on to where it is sent. */
const interactions = (cluster: Cluster): Race => ({
  name: 'interactions',
  prepare: async (count) => {
    // So many sign-ins from one address are somebody guessing; here they are the set-up.
    await cluster.opened.db.run('delete from sign_in_failures');
    return inBatches([...Array(count).keys()], SIGN_INS_AT_ONCE, async () => {
      const browser = createBrowserless(cluster.issuer);
      const t = { issuer: cluster.issuer } as TestBroker;
      const url = authorizeUrl(t, pkce().challenge, { prompt: 'consent' });
      // A session of its own: deciding gives it another id, and every other trial would be signed out.
      const signIn = formTo(await browser.open(url), '/sign-in');
      const { email, password } = ANA;
      const form = formTo(await browser.submit(signIn, { email, password }), '/decision');
      const body = new URLSearchParams(form.fields);
      body.set('decision', 'allow');
      const jar = [...browser.cookies.values()];
      return (_n, origin) => decide({ cluster, origin, action: form.action, body, jar });
    });
  },
});

function formTo(page: Page, ending: string): Form {
  const form = formsOf(page).find(({ action }) => action.endsWith(ending));
  if (form === undefined) throw new Error(`no form to ${ending}: ${page.status} ${page.url}`);
  return form;
}

const REDIRECTS_MAX = 4;

async function decide(options: {
  readonly cluster: Cluster;
  readonly origin: string;
  readonly action: string;
  readonly body: URLSearchParams;
  readonly jar: readonly { readonly name: string; readonly value: string; readonly path: string }[];
}): Promise<Outcome> {
  const { cluster, origin, body, jar } = options;
  let at = options.action;
  let init: RequestInit = { method: 'POST', body };
  for (let n = 0; n < REDIRECTS_MAX; n += 1) {
    const { pathname } = new URL(at);
    const cookie = jar
      .filter(({ path }) => pathname.startsWith(path))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
    const headers = { cookie, accept: 'text/html', origin: cluster.issuer };
    const response = await fetch(at.replace(cluster.issuer, origin), {
      ...init,
      headers,
      redirect: 'manual',
    });
    await response.arrayBuffer();
    const location = response.headers.get('location');
    if (location === null)
      return response.status === 400 ? 'lost' : { wrong: `${response.status}` };
    const code = codeIn(location);
    if (code !== null) return { won: code };
    at = new URL(location, cluster.issuer).href;
    init = {};
  }
  return { wrong: `too many redirects, the last to ${at}` };
}
