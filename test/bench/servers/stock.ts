// What one would build without Behalf: oidc-provider as it comes, a plain PostgreSQL adapter with a
// pool of ten (or clients in memory), tokens signed by jose. It records nothing and knows no agent.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createLocalJWKSet, type JWK, jwtVerify } from 'jose';
import Provider, { type Configuration, type KoaContextWithOIDC } from 'oidc-provider';
import postgres from 'postgres';
import type { StockArgument } from '../servers.js';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const { issuer, port, databaseUrl, resource, clients }: StockArgument = JSON.parse(
  process.argv[2] as string,
);

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = { ...(privateKey.export({ format: 'jwk' }) as JWK), kid: 'stock', alg: 'ES256' };
const published = { ...(publicKey.export({ format: 'jwk' }) as JWK), kid: 'stock', alg: 'ES256' };
const secret = randomBytes(32).toString('base64url');
const clientRows = clients.map((id) => ({
  client_id: id,
  client_secret: secret,
  grant_types: ['client_credentials', EXCHANGE],
  redirect_uris: [],
  response_types: [],
  id_token_signed_response_alg: 'ES256' as const,
}));

const sql = databaseUrl === undefined ? undefined : postgres(databaseUrl, { max: 10 });
if (sql !== undefined) {
  await sql`create table stock_payloads (kind text, id text, payload jsonb, primary key (kind, id))`;
  await sql`create table stock_policy (actor text primary key, scope text)`;
  for (const row of clientRows) {
    await sql`insert into stock_payloads values ('Client', ${row.client_id}, ${sql.json(row)})`;
    await sql`insert into stock_policy values (${row.client_id}, 'files:list files:read')`;
  }
}

const adapter = (db: postgres.Sql) => (kind: string) => ({
  async find(id: string) {
    const rows = await db`select payload from stock_payloads where kind = ${kind} and id = ${id}`;
    return rows[0]?.payload;
  },
  async upsert(id: string, payload: object) {
    await db`insert into stock_payloads values (${kind}, ${id}, ${db.json(payload as never)})
        on conflict (kind, id) do update set payload = excluded.payload`;
  },
  findByUid: async () => undefined,
  findByUserCode: async () => undefined,
  consume: async () => undefined,
  destroy: async () => undefined,
  revokeByGrantId: async () => undefined,
});

const info = {
  scope: 'files:list files:read',
  audience: resource,
  accessTokenFormat: 'jwt' as const,
  accessTokenTTL: 300,
  jwt: { sign: { alg: 'ES256' as const } },
};

const configuration: Configuration = {
  ...(sql === undefined ? { clients: clientRows } : { adapter: adapter(sql) as never }),
  jwks: { keys: [jwk as never] },
  cookies: { keys: [secret] },
  scopes: ['files:list', 'files:read'],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => info,
      defaultResource: () => resource,
    },
  },
  extraTokenClaims: (_ctx, token) => (token as { act?: object }).act as never,
};
const provider = new Provider(issuer, configuration);

/** Signature, issuer and audience of the subject token; one look at the policy; a nested `act`. */
const keys = createLocalJWKSet({ keys: [published] });
async function exchange(ctx: KoaContextWithOIDC): Promise<void> {
  const { subject_token: subject } = ctx.oidc.params as { subject_token: string };
  const { payload } = await jwtVerify(subject, keys, { issuer, audience: resource, typ: 'at+jwt' });
  const client = ctx.oidc.client as NonNullable<typeof ctx.oidc.client>;
  const id = client.clientId;
  const rows = sql && (await sql`select scope from stock_policy where actor = ${id}`);
  const allowed = String(rows?.[0]?.scope ?? 'files:list files:read').split(' ');
  const scope = String(payload.scope)
    .split(' ')
    .filter((one) => allowed.includes(one))
    .join(' ');
  const { ClientCredentials, ResourceServer } = provider as unknown as {
    ClientCredentials: new (
      given: object,
    ) => {
      act?: object;
      resourceServer?: object;
      save(): Promise<string>;
    };
    ResourceServer: new (identifier: string, given: object) => object;
  };
  const token = new ClientCredentials({ client, scope });
  token.resourceServer = new ResourceServer(resource, info);
  token.act = { sub: payload.sub, act: { sub: id } };
  ctx.oidc.entity('ClientCredentials', token as never);
  ctx.body = { access_token: await token.save(), token_type: 'Bearer', expires_in: 300, scope };
}
const parameters = ['subject_token', 'subject_token_type', 'resource', 'scope'];
provider.registerGrantType(EXCHANGE, exchange as never, parameters);

const handle = provider.callback();
createServer((req, res) => void handle(req, res)).listen(port, '127.0.0.1', () => {
  process.send?.({ secrets: Object.fromEntries(clients.map((id) => [id, secret])) });
});
process.on('disconnect', () => process.exit(0));
