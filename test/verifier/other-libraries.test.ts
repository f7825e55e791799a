// Whoever knows nothing of agents reads our tokens as any RFC 9068 token, and grants exactly `scope`:
// the rights of the agent stand beside it, and no library takes them for a grant (DESIGN §3).

import { createPublicKey } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import { JwtVerifier } from 'aws-jwt-verify';
import express, { type RequestHandler } from 'express';
import { auth, requiredScopes } from 'express-oauth2-jwt-bearer';
import { createVerifier as createFastVerifier } from 'fast-jwt';
import { createRemoteJWKSet, importJWK, type JWK, jwtVerify } from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createVerifier } from '../../src/verifier/index.js';
import { pemOf } from '../bench/contenders.js';
import {
  authorize,
  claimsOf,
  headerOf,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { AGENT, FILES, HOST } from '../support/world.js';

/** Every scope there is at the resource. */
const ALL = ['files:list', 'files:read', 'files:write', 'files:delete', 'admin:quota'];

/** The scopes of {@link ALL} that a library lets a token use. */
type Grants = (token: string) => Promise<readonly string[]>;

let t: TestBroker;
let jwks: { keys: JWK[] };
const servers: Server[] = [];
const tokens = new Map<string, string>();
beforeAll(async () => {
  t = await startTestBroker();
  const answered = await fetch(`${t.issuer}/.well-known/jwks.json`);
  jwks = (await answered.json()) as { keys: JWK[] };
  const authorized = await authorize(t, { params: { scope: 'files:read' } });
  const { body } = await redeem(t, authorized);
  tokens.set('an agent for a user, who gave it less than it may', body.access_token);
  const narrowed = await postToken(t, HOST, {
    grant_type: 'refresh_token',
    refresh_token: body.refresh_token,
    scope: 'files:list',
  });
  tokens.set('the same, narrowed', narrowed.body.access_token);
  const plain = await authorize(t, {
    params: { scope: 'files:list', requested_actor: undefined },
  });
  const own = await redeem(t, plain, { actor_token: undefined });
  tokens.set('a user through a plain client', own.body.access_token);
  const alone = await postToken(t, AGENT, {
    grant_type: 'client_credentials',
    resource: FILES,
    scope: 'files:read',
  });
  tokens.set('an agent on its own', alone.body.access_token);
});
afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await t.close();
});

const keyOf = (token: string) => jwks.keys.find(({ kid }) => kid === headerOf(token).kid) as JWK;
const pem = (token: string) =>
  pemOf(createPublicKey({ key: keyOf(token) as never, format: 'jwk' }));
const inScope = (claims: object) => {
  const held = String((claims as { scope?: unknown }).scope).split(' ');
  return ALL.filter((one) => held.includes(one));
};

/** One route a scope, behind middleware of an Express library. */
async function routes(handlersFor: (scope: string) => readonly RequestHandler[]): Promise<Grants> {
  const app = express();
  // A colon would begin a parameter.
  for (const [n, scope] of ALL.entries())
    app.get(`/${n}`, ...handlersFor(scope), (_req, res) => void res.sendStatus(204));
  app.use(((error, _req, res, _next) => {
    res.sendStatus(error.status ?? 500);
  }) as express.ErrorRequestHandler);
  const server = createServer(app);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return async (token) => {
    const granted: string[] = [];
    for (const [n, scope] of ALL.entries()) {
      const headers = { authorization: `Bearer ${token}` };
      const { status } = await fetch(`http://127.0.0.1:${port}/${n}`, { headers });
      expect([204, 403]).toContain(status);
      if (status === 204) granted.push(scope);
    }
    return granted;
  };
}

const joseClaims = async (token: string) => {
  const keys = createRemoteJWKSet(new URL(`${t.issuer}/.well-known/jwks.json`));
  const options = { issuer: t.issuer, audience: FILES, typ: 'at+jwt', algorithms: ['ES256'] };
  return (await jwtVerify(token, keys, options)).payload;
};

/** Each as its own documentation sets it up for RFC 9068, as strictly as it can be. */
const LIBRARIES: Readonly<Record<string, () => Promise<Grants>>> = {
  jose: async () => async (token) => inScope(await joseClaims(token)),
  jsonwebtoken: async () => async (token) => {
    const options = { algorithms: ['ES256' as const], issuer: t.issuer, audience: FILES };
    return inScope(jsonwebtoken.verify(token, pem(token), options) as object);
  },
  'fast-jwt': async () => async (token) =>
    inScope(
      createFastVerifier({
        key: pem(token),
        algorithms: ['ES256'],
        allowedIss: t.issuer,
        allowedAud: FILES,
        checkTyp: 'at+jwt',
      })(token),
    ),
  'aws-jwt-verify': async () => {
    const verifier = JwtVerifier.create({
      issuer: t.issuer,
      audience: FILES,
      jwksUri: 'https://keys.example/jwks.json',
    });
    verifier.cacheJwks(jwks as never);
    return async (token) => {
      verifier.verifySync(token);
      return ALL.filter((scope) => {
        try {
          verifier.verifySync(token, { scope });
          return true;
        } catch {
          return false;
        }
      });
    };
  },
  oauth4webapi: async () => {
    const as = { issuer: t.issuer, jwks_uri: `${t.issuer}/.well-known/jwks.json` };
    return async (token) => {
      const request = new Request(FILES, { headers: { authorization: `Bearer ${token}` } });
      const options = { [oauth.allowInsecureRequests]: true };
      return inScope(await oauth.validateJwtAccessToken(as, request, FILES, options));
    };
  },
  'express-oauth2-jwt-bearer': () => {
    const guard = auth({
      issuer: t.issuer,
      audience: FILES,
      jwksUri: `${t.issuer}/.well-known/jwks.json`,
      tokenSigningAlg: 'ES256',
      strict: true,
    });
    return routes((scope) => [guard, requiredScopes(scope)] as RequestHandler[]);
  },
  'requireBearerAuth of MCP SDK v1, over jose': () =>
    routes((scope) => [
      requireBearerAuth({
        requiredScopes: [scope],
        verifier: {
          verifyAccessToken: async (token) => {
            const { client_id: clientId, exp: expiresAt, ...claims } = await joseClaims(token);
            const scopes = inScope(claims);
            return { token, clientId: String(clientId), scopes, expiresAt: expiresAt as number };
          },
        },
      }) as unknown as RequestHandler,
    ]),
  'requireBearerAuth of MCP SDK v1, over behalf/verifier': () => {
    const verifier = createVerifier({ issuer: t.issuer, resource: FILES, revocation: 'off' });
    return routes((scope) => [
      requireBearerAuth({ requiredScopes: [scope], verifier }) as unknown as RequestHandler,
    ]);
  },
};

describe.each(Object.entries(LIBRARIES))('%s', (_name, create) => {
  it('takes every kind of token, and grants exactly its scope', async () => {
    const grants = await create();
    const granted = new Map<string, readonly string[]>();
    for (const [kind, token] of tokens) granted.set(kind, await grants(token));
    expect(Object.fromEntries(granted)).toEqual({
      'an agent for a user, who gave it less than it may': ['files:list', 'files:read'],
      'the same, narrowed': ['files:list'],
      'a user through a plain client': ['files:list'],
      'an agent on its own': ['files:list', 'files:read'],
    });
  });

  it('takes none that somebody else signed', async () => {
    const grants = await create();
    const [header, payload, signature = ''] = [...tokens.values()][0]?.split('.') ?? [];
    const forged = `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
    await expect(grants(forged)).rejects.toThrow();
  });
});

describe('what a token says', () => {
  it('names what the agent may ever do in one place, which is nobody’s word for a grant', () => {
    for (const token of tokens.values()) {
      const { scope, agent_scope: _agents, ...others } = claimsOf(token);
      const names = [
        'scp',
        'scopes',
        'permissions',
        'roles',
        'groups',
        'authorities',
        'entitlements',
      ];
      expect(names.filter((name) => name in others)).toEqual([]);
      // Not in `act` either, nor anywhere else.
      for (const one of ALL) expect(JSON.stringify(others)).not.toContain(one);
      expect(typeof scope).toBe('string');
    }
    const delegated = claimsOf([...tokens.values()][0] as string);
    expect(delegated.agent_scope).toBe('files:list files:read files:write');
  });

  it('is signed by a key that every library can import', async () => {
    for (const jwk of jwks.keys) expect(await importJWK(jwk, 'ES256')).toBeTruthy();
  });
});
