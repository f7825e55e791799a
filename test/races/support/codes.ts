// Authorization codes by the hundred: Ana signs in and consents once, then her browser asks again
// and again in silence; each answer is a fresh grant under the same consent.

import { createBrowserless, walkPages } from '../../../examples/demo/walk-pages.js';
import { authorizeUrl, pkce, type TestBroker } from '../../support/broker.js';
import { AGENT, ANA, CALLBACK, HOST } from '../../support/world.js';
import { type Cluster, inBatches } from './cluster.js';

export interface Code {
  readonly code: string;
  readonly verifier: string;
}

export interface CodeSource {
  /** Codes that name the agent, or none. */
  codes(count: number, agent?: string): Promise<Code[]>;
  actorTokens(count: number): Promise<string[]>;
  /** The address a browser is sent to with a request that was pushed. */
  push(agent: string): Promise<string>;
  /** Ana's browser goes there; no redirect is followed. */
  follow(url: string): Promise<{ status: number; location: string }>;
}

const AT_ONCE = 20;

export async function createCodeSource(cluster: Cluster): Promise<CodeSource> {
  const t = { issuer: cluster.issuer } as TestBroker;
  const browser = createBrowserless(cluster.issuer);
  for (const requested_actor of [AGENT, undefined]) {
    const url = authorizeUrl(t, pkce().challenge, { requested_actor });
    await walkPages(browser, url, ANA);
  }
  const cookie = [...browser.cookies.values()]
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ');
  return {
    codes: (count, agent) =>
      inBatches([...Array(count).keys()], AT_ONCE, async () => {
        const { verifier, challenge } = pkce();
        const answer = await cluster.get(
          authorizeUrl(t, challenge, { requested_actor: agent }),
          cookie,
        );
        const code = new URL(answer.location).searchParams.get('code');
        if (code === null) throw new Error(`no code: ${answer.status} ${answer.location}`);
        return { code, verifier };
      }),
    push: async (agent) => {
      const request = new URL(authorizeUrl(t, pkce().challenge, { requested_actor: agent }))
        .searchParams;
      const { body } = await cluster.post(
        cluster.issuer,
        '/par',
        Object.fromEntries(request),
        HOST,
      );
      return `${cluster.issuer}/authorize?${new URLSearchParams({ client_id: HOST, request_uri: body.request_uri })}`;
    },
    follow: (url) => cluster.get(url, cookie),
    actorTokens: (count) =>
      inBatches([...Array(count).keys()], AT_ONCE * 5, async () => {
        const fields = { grant_type: 'client_credentials', resource: cluster.issuer };
        const { status, body } = await cluster.post(cluster.issuer, '/token', fields, AGENT);
        if (status !== 200) throw new Error(`no actor token: ${JSON.stringify(body)}`);
        return body.access_token;
      }),
  };
}

/** One redemption's parameters. */
export const redemption = (
  { code, verifier }: Code,
  actorToken?: string,
): Record<string, string> => ({
  grant_type: 'authorization_code',
  code,
  code_verifier: verifier,
  redirect_uri: CALLBACK,
  ...(actorToken === undefined ? {} : { actor_token: actorToken }),
});
