// Somebody of their own for one case: a user, a client, an agent, and a consent between them.
import { createHash, randomBytes } from 'node:crypto';
import { sql } from 'drizzle-orm';
import * as tables from '../../../schema/index.js';
import { ANA, FILES } from '../../support/world.js';
import { createParty, type Party } from './party.js';
import type { AttackWorld } from './world.js';

export interface Casting {
  readonly scope?: string;
  /** No agent acts. */
  readonly agent?: false;
  /** A public client. */
  readonly auth?: 'none';
  readonly redirectUri?: string;
}

export async function castParty(w: AttackWorld, more: Casting = {}): Promise<Party> {
  const name = randomBytes(6).toString('hex');
  const [user, client, agent] = [`usr_${name}`, `cli_${name}`, `agt_${name}`];
  const email = `${name}@example.com`;
  const redirectUri = more.redirectUri ?? `https://${name}.example/callback`;
  const ana = await w.registry.users.get(ANA.id);
  const secretFor = (principal: string) => {
    const secret = randomBytes(32).toString('base64url');
    w.secrets[principal] = secret;
    w.canaries.add(`secret of ${principal}`, secret);
    const secretHash = createHash('sha256').update(secret).digest('hex');
    return { id: `crd_${principal}`, principal, kind: 'secret', secretHash };
  };
  const auth = more.auth ?? 'client_secret_basic';
  await w.db.transaction(async (tx) => {
    await tx
      .insert(tables.users)
      .values({ id: user, email, emailKey: email, name, passwordHash: ana.passwordHash });
    await tx.insert(tables.clients).values({
      id: client,
      name: `Client ${name}`,
      kind: 'app',
      redirectUris: [redirectUri],
      auth,
    });
    await tx.insert(tables.agents).values({
      id: agent,
      name: `Agent ${name}`,
      owner: 'Ops',
      clients: [client],
      auth: 'client_secret_basic',
    });
    await tx
      .insert(tables.permissions)
      .values({ principal: agent, resource: FILES, scopes: ['files:write'] });
    const credentials = [agent, ...(auth === 'none' ? [] : [client])].map(secretFor);
    await tx.insert(tables.credentials).values(credentials);
    await tx.update(tables.policyEpoch).set({ epoch: sql`epoch + 1` });
  });
  const person = { id: user, email, password: ANA.password };
  const scope = more.scope ?? 'openid files:write';
  const party = createParty(w, {
    user: person,
    client,
    redirectUri,
    agent: more.agent === false ? '' : agent,
    scope,
  });
  await party.consent();
  return party;
}
