// A small world every flow test can read aloud: Ana, her agent, its host, a file server.
import { createHash, randomBytes } from 'node:crypto';
import { sql } from 'drizzle-orm';
import type { ScopeRow } from '../../schema/index.js';
import * as tables from '../../schema/index.js';
import type { Database } from '../../src/broker/db/database.js';
import { hashPassword } from '../../src/broker/users/password.js';

export const ANA = { id: 'usr_ana', email: 'ana@example.com', password: 'correct horse battery' };
export const BEN = { id: 'usr_ben', email: 'ben@example.com', password: 'staple staple staple' };
/** Ana's agent: may list, read and write files, never delete. */
export const AGENT = 'agt_helper';
export const OTHER_AGENT = 'agt_other';
/** The agent host: a confidential client that fronts for the agent. */
export const HOST = 'cli_host';
/** A public client with a loopback redirect. */
export const DESKTOP = 'cli_desktop';
/** A client no agent accepts. */
export const STRANGER = 'cli_stranger';
export const SERVICE = 'cli_nightly';
/** The file server's own client: introspects, reports. */
export const FILES_CLIENT = 'cli_files';
export const FILES = 'https://files.example/mcp';
export const NOTES = 'https://notes.example/api';

export const CALLBACK = 'https://host.example/callback';
export const LOOPBACK = 'http://127.0.0.1:7777/callback';

const scope = (title: string, risk: ScopeRow['risk'], more: Partial<ScopeRow> = {}): ScopeRow => ({
  title,
  risk,
  restricted: false,
  implies: [],
  base: false,
  ...more,
});

export const FILE_SCOPES = {
  'files:list': scope('List your files', 'read', { base: true }),
  'files:read': scope('Read your files', 'read', { base: true, implies: ['files:list'] }),
  'files:write': scope('Change your files', 'write', { implies: ['files:read'] }),
  'files:delete': scope('Delete your files', 'destructive'),
  'admin:quota': scope('Set quotas', 'write', { restricted: true }),
};

export interface Secrets {
  readonly [principal: string]: string;
}

let passwords: Promise<readonly [string, string]> | undefined;

/** Writes the world straight into the tables; returns the generated secrets. */
export async function seedWorld(db: Database): Promise<Secrets> {
  passwords ??= Promise.all([hashPassword(ANA.password), hashPassword(BEN.password)]);
  const [ana, ben] = await passwords;
  const secrets: Record<string, string> = {};
  const secretFor = (principal: string) => {
    const secret = randomBytes(32).toString('base64url');
    secrets[principal] = secret;
    return {
      id: `crd_${principal.slice(4)}`,
      principal,
      kind: 'secret',
      secretHash: createHash('sha256').update(secret).digest('hex'),
    };
  };
  await db.transaction(async (tx) => {
    await tx.insert(tables.users).values([
      { id: ANA.id, email: ANA.email, emailKey: ANA.email, name: 'Ana Example', passwordHash: ana },
      { id: BEN.id, email: BEN.email, emailKey: BEN.email, name: 'Ben Example', passwordHash: ben },
    ]);
    await tx.insert(tables.clients).values([
      {
        id: HOST,
        name: 'Agent Host',
        kind: 'app',
        redirectUris: [CALLBACK],
        auth: 'client_secret_basic',
      },
      {
        id: DESKTOP,
        name: 'Desktop',
        kind: 'app',
        redirectUris: [LOOPBACK],
        auth: 'none',
        mayExchange: false,
      },
      {
        id: STRANGER,
        name: 'Stranger',
        kind: 'app',
        redirectUris: ['https://stranger.example/cb'],
        auth: 'none',
        mayExchange: false,
      },
      { id: SERVICE, name: 'Nightly', kind: 'service', auth: 'client_secret_basic' },
      { id: FILES_CLIENT, name: 'File server', kind: 'service', auth: 'client_secret_basic' },
    ]);
    await tx.insert(tables.agents).values([
      {
        id: AGENT,
        name: 'Helper',
        owner: 'Example Ops',
        purpose: 'keeps files tidy',
        clients: [HOST, DESKTOP],
        auth: 'client_secret_basic',
      },
      {
        id: OTHER_AGENT,
        name: 'Other',
        owner: 'Example Ops',
        clients: [HOST],
        auth: 'client_secret_basic',
      },
    ]);
    await tx.insert(tables.resources).values([
      {
        identifier: FILES,
        name: 'File server',
        scopes: FILE_SCOPES,
        tools: {
          list_files: ['files:list'],
          read_file: ['files:read'],
          write_file: ['files:write'],
          delete_file: ['files:delete'],
        },
        client: FILES_CLIENT,
      },
      {
        identifier: NOTES,
        name: 'Notes',
        scopes: { 'notes:read': scope('Read notes', 'read', { base: true }) },
        clients: [SERVICE],
      },
    ]);
    await tx.insert(tables.permissions).values([
      { principal: AGENT, resource: FILES, scopes: ['files:write'] },
      { principal: OTHER_AGENT, resource: FILES, scopes: ['files:read'] },
      { principal: SERVICE, resource: NOTES, scopes: ['notes:read'] },
    ]);
    await tx
      .insert(tables.credentials)
      .values([HOST, SERVICE, FILES_CLIENT, AGENT, OTHER_AGENT].map(secretFor));
    await tx.update(tables.policyEpoch).set({ epoch: sql`epoch + 1` });
  });
  return secrets;
}
