/**
 * The composition root: every slice, grant and route is named here once, and handed what it may
 * use. No module keeps state; everything hangs on what `createBroker` returns, so one process can
 * hold several brokers.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type Router from '@koa/router';
import Koa, { type Context } from 'koa';
import { createAdminApi } from './admin/assemble.js';
import type { Registry } from './admin/registry.js';
import { applyWorldOrThrow, createAdminServices } from './admin/services.js';
import { assembleEngine } from './assemble-engine.js';
import { startCheckpoints } from './audit/checkpoint-timer.js';
import { createDecisionRouter } from './audit/decisions.js';
import { notingRefusals } from './audit/note-refusals.js';
import { createExpiryWarnings } from './clients/expiry.js';
import { createLastUse, type LastUse, notingUse } from './clients/last-use.js';
import { type Config, refreshGraceOf } from './config.js';
import { renderError } from './consent/views.js';
import { type Database, NOTICE_CHANNEL } from './db/database.js';
import { openDatabase } from './db/open.js';
import { noticing } from './facts/store.js';
import { createBoundary, pinHost } from './http/boundary.js';
import { createHealth, type Health } from './http/health.js';
import { mountBelow } from './http/mount.js';
import { createProblemPage } from './http/problem-page.js';
import { createHttpServer, listen, serveStylesheet } from './http/server.js';
import { mountRouters } from './http/unrouted.js';
import { createKeyRing } from './keys/ring.js';
import { developmentSecret } from './keys/secrets.js';
import { keyDepsOf } from './keys/settings.js';
import { KEY_UPKEEP_MS } from './limits.js';
import { createPageRouters } from './pages.js';
import { type BrokerDeps, type Parts, partsOf, readerOf } from './parts.js';
import type { Engine } from './provider/engine.js';
import { createToolRouter } from './resources/routes.js';
import { createFeed, type Feed } from './revocation/feed.js';
import { createFeedRouter } from './revocation/routes.js';
import { createSelfRegistration, type SelfRegistration } from './self-registration.js';
import { startSweeper } from './sweeper.js';
import { renderSignOut } from './users/sign-in-views.js';

export type { BrokerDeps };

/** A running broker: its own issuer, keys, database and timers. One process can hold several. */
export interface Broker {
  readonly config: Config;
  readonly db: Database;
  /** The bearer of the admin API, also when it was generated. */
  readonly adminToken: string;
  /** Every operation on agents, clients, resources, users, roles and permissions. */
  readonly registry: Registry;
  /**
   * Applies a world file (YAML), all or nothing, and returns the secrets it generated, by principal.
   * @throws Error naming the lines and fields of a broken file
   */
  applyWorld(text: string): Promise<{ readonly secrets: Readonly<Record<string, string>> }>;
  handle(req: IncomingMessage, res: ServerResponse): void;
  /** Listens on the configured host and port. */
  listen(): Promise<{ url: string; port: number }>;
  /** Says it is not ready, stops taking requests, lets those in flight finish, closes what it opened. */
  close(): Promise<void>;
}

/**
 * Puts a broker together: opens the database, loads the keys. Takes no request before `listen` or `handle`.
 *
 * @throws Error when the database, the secret or the engine are not fit to start with
 */
export async function createBroker(config: Config, given: BrokerDeps = {}): Promise<Broker> {
  const db = given.db ?? (await openDatabase(config));
  try {
    return await assemble(config, db, given);
  } catch (error) {
    if (given.db === undefined) await db.close();
    throw error;
  }
}

async function assemble(config: Config, db: Database, given: BrokerDeps): Promise<Broker> {
  const parts = await partsOf(config, db, given);
  const { now, log, secrets, refusals } = parts;
  const adminToken = config.adminToken ?? (await developmentSecret(config.dataDir, 'admin-token'));
  const servicesOn = (on: Database) =>
    createAdminServices(noticing(on, parts.facts), config.issuer, keyDepsOf(config));
  const services = servicesOn(db);
  const keys = await createKeyRing({ db, secrets, service: services.keys });
  const registration = createSelfRegistration(parts, services.registry);
  const engine = assembleEngine(parts, keys, registration.use.note);
  keys.onChange(engine.swap);
  const feed = createFeed({ db, issuer: config.issuer });
  const warn = (what: string) => (err: unknown) => log.warn({ err }, what);
  const followKeys = () => keys.refresh().catch(warn('the signing keys were not refreshed'));
  const lastUse = createLastUse({ db, now, warn: warn('uses of credentials were not noted') });
  const health = createHealth({ db, now });
  const app = assembleApp({ ...parts, health, lastUse }, engine, [
    ...createPageRouters({ ...parts, provider: engine.current, services }),
    ...programRouters(parts, feed, registration),
    createAdminApi({
      ...parts,
      issuer: config.issuer,
      servicesOn,
      adminToken,
      reader: readerOf(parts, keys),
      onChange: followKeys,
    }),
  ]);

  await feed.start();
  await followChanges(parts, followKeys);
  const checkpoints = startCheckpoints({ db, issuer: config.issuer, keys, now, log });
  const upkeep = setInterval(() => void followKeys(), KEY_UPKEEP_MS).unref();
  const chores = [refusals.flush, createExpiryWarnings(parts), registration.upkeep];
  const sweeper = startSweeper(db, log, now, refreshGraceOf(config), chores);
  const handle = app.callback();
  const http = createHttpServer((req, res) => void handle(req, res));
  return {
    config,
    db,
    adminToken,
    registry: services.registry,
    applyWorld: (text) => applyWorldOrThrow(services, text),
    handle: (req, res) => void handle(req, res),
    listen: () => listen(http.server, config),
    close: async () => {
      health.drain();
      http.endConnections();
      if (http.server.listening) await sleep((config.shutdownDelaySeconds ?? 0) * 1000);
      feed.stop();
      sweeper.stop();
      clearInterval(upkeep);
      await http.close();
      await Promise.all([lastUse.close(), registration.use.close()]);
      await refusals.flush();
      await checkpoints.stop();
      if (given.db === undefined) await db.close();
    },
  };
}

/** What resource servers follow, report and publish, what they are not let say being noted; and clients that register. */
function programRouters(
  parts: Parts,
  feed: Feed,
  registration: SelfRegistration,
): readonly Router[] {
  const deps = { ...parts, noteRefusals: notingRefusals(parts.refusals) };
  return [
    createFeedRouter(feed, deps),
    createDecisionRouter(deps),
    createToolRouter(deps),
    ...registration.routers,
  ];
}

/** Somebody changed something, here or in another process. */
const followChanges = ({ db, facts }: Parts, followKeys: () => Promise<void>): Promise<void> =>
  db.listen(NOTICE_CHANNEL, () => {
    facts.noticeChange();
    void followKeys();
  });

interface AppParts extends Parts {
  readonly health: Health;
  readonly lastUse: LastUse;
}

function assembleApp(parts: AppParts, engine: Engine, routers: readonly Router[]): Koa {
  const { config, now, log, health, lastUse } = parts;
  const app = new Koa();
  app.use(health.middleware);
  app.use(pinHost(config.issuer, config.trustedProxies, config.clientCertificates));
  app.use(
    createBoundary({
      issuer: config.issuer,
      log,
      now,
      renderProblem: createProblemPage({ renderError, renderSignOut, now }).render,
    }),
  );
  app.use(mountBelow(config.issuer));
  app.use(serveStylesheet);
  app.use(notingUse(lastUse));
  mountRouters(app, routers);
  app.use(async function engineLast(ctx: Context) {
    ctx.respond = false;
    await engine.handle(ctx.req, ctx.res);
  });
  return app;
}
