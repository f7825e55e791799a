/**
 * Where a command's operation runs: in this process on the database, or, when a running broker
 * holds the embedded database, over its admin API. The operations are the same ones either way.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Operation } from '../admin/operation.js';
import { runOperation } from '../admin/operation.js';
import { ADMIN_OPERATIONS } from '../admin/operations.js';
import { problemOf } from '../admin/problem.js';
import { adminIdentifier } from '../admin/resource.js';
import { createAdminServices } from '../admin/services.js';
import type { Config } from '../config.js';
import { isLocked } from '../db/directory-lock.js';
import { openDatabase } from '../db/open.js';
import { keyDepsOf } from '../keys/settings.js';
import { ask, readAnswer } from './ask.js';

export interface Admin {
  /** Runs an operation; the path as the API has it, without prefix. */
  call(method: Operation['method'], path: string, given?: Given): Promise<unknown>;
  close(): Promise<void>;
}

interface Given {
  readonly body?: object;
  readonly query?: Readonly<Record<string, string | undefined>>;
}

const present = (query: Given['query']): Record<string, string> =>
  Object.fromEntries(
    Object.entries(query ?? {}).filter((pair): pair is [string, string] => pair[1] !== undefined),
  );

/** @throws Error with one sentence for the person at the terminal */
export async function openAdmin(config: Config): Promise<Admin> {
  const embedded = config.databaseUrl === undefined;
  return embedded && (await isLocked(config.dataDir)) ? remoteAdmin(config) : localAdmin(config);
}

async function localAdmin(config: Config): Promise<Admin> {
  const db = await openDatabase(config);
  const services = createAdminServices(db, config.issuer, keyDepsOf(config));
  return {
    call: async (method, path, { body, query } = {}) => {
      const [operation, params] = findOperation(method, path);
      try {
        return await runOperation(operation, {
          services,
          by: 'cli',
          // Who can write the database needs no other leave.
          holds: () => true,
          params,
          query: present(query),
          body: body ?? {},
        });
      } catch (error) {
        const problem = problemOf(error);
        throw problem === undefined ? error : new Error(sentenceOf(problem));
      }
    },
    close: () => db.close(),
  };
}

function findOperation(
  method: Operation['method'],
  path: string,
): readonly [Operation, Record<string, string>] {
  const parts = path.split('/');
  for (const operation of ADMIN_OPERATIONS) {
    const wanted = operation.path.split('/');
    const params: Record<string, string> = {};
    const fits = wanted.every((part, n) => {
      if (!part.startsWith(':')) return part === parts[n];
      params[part.slice(1)] = decodeURIComponent(parts[n] ?? '');
      return parts[n] !== undefined;
    });
    if (fits && operation.method === method && wanted.length === parts.length) {
      return [operation, params];
    }
  }
  throw new Error(`there is no operation ${method} ${path}`);
}

/** Over HTTP, as the configured client or with the configured bearer. */
async function remoteAdmin(config: Config): Promise<Admin> {
  const bearer = await createBearer(config);
  const send = async (method: string, path: string, given: Given, scope: string) => {
    const search = new URLSearchParams(present(given.query));
    return ask(config.issuer, `/admin/v1${path}?${search}`, {
      method: method.toUpperCase(),
      headers: {
        authorization: `Bearer ${await bearer(scope)}`,
        'content-type': 'application/json',
      },
      ...(method === 'get' || method === 'delete'
        ? {}
        : { body: JSON.stringify(given.body ?? {}) }),
    });
  };
  return {
    call: async (method, path, given = {}) => {
      const [{ scope }] = findOperation(method, path);
      let response = await send(method, path, given, scope);
      // RFC 6750 §3.1: what it says needs more than the operation does.
      const more = MORE_SCOPE.exec(response.headers.get('www-authenticate') ?? '')?.[1];
      if (response.status === 403 && more !== undefined) {
        response = await send(method, path, given, `${scope} ${more}`);
      }
      if (response.status === 204) return undefined;
      const answer = await readAnswer<Parameters<typeof sentenceOf>[0]>(response);
      if (!response.ok) throw new Error(sentenceOf(answer));
      return answer;
    },
    close: async () => undefined,
  };
}

const MORE_SCOPE = /error="insufficient_scope", scope="([^"]+)"/;

/** A token for some scopes: the configured one whatever they are, or one got for just these. */
async function createBearer(config: Config): Promise<(scope: string) => Promise<string>> {
  const { issuer, adminClient } = config;
  if (adminClient === undefined) {
    const file = join(config.dataDir, 'admin-token');
    const token = config.adminToken ?? (await readFile(file, 'utf8')).trim();
    return async () => token;
  }
  return async (scope) => {
    const { id, secret } = adminClient;
    const response = await ask(issuer, '/token', {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${id}:${secret}`)}` },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        resource: adminIdentifier(issuer),
        scope,
      }),
    });
    const answer = await readAnswer<Record<string, string>>(response);
    if (answer.access_token === undefined) {
      throw new Error(`${id} got no token for ${scope}: ${answer.error_description}`);
    }
    return answer.access_token;
  };
}

function sentenceOf(problem: {
  readonly title: string;
  readonly detail?: string | undefined;
  readonly errors?: ReadonlyArray<{ readonly field: string; readonly message: string }> | undefined;
}): string {
  const fields = (problem.errors ?? []).map(({ field, message }) => `\n  ${field}: ${message}`);
  return `${problem.detail ?? problem.title}${fields.join('')}`;
}
