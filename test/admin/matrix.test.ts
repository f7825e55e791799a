// M2: every route of the admin API × every kind of bearer. What is expected is computed from the
// table of operations; the routes are the router's own, so that one nobody listed is found.
import type Router from '@koa/router';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAdminApi } from '../../src/broker/admin/assemble.js';
import { ADMIN_OPERATIONS } from '../../src/broker/admin/operations.js';
import type { AdminScope } from '../../src/broker/admin/scopes.js';
import { createAdminServices } from '../../src/broker/admin/services.js';
import { callAdmin } from '../support/admin.js';
import { ADMIN_TOKEN, startTestBroker, type TestBroker } from '../support/broker.js';
import { type Bearer, type Bearers, castBearers } from './support/bearers.js';

/** Any administrator may learn that there is no such operation. */
type Needs = AdminScope | 'any';

const PREFIX = '/admin/v1';
/** Routes that are no operation. */
const BESIDES: Readonly<Record<string, Needs>> = { '/openapi.json': 'admin:read' };
const CATCH_ALL = '/{*rest}';

interface Route {
  readonly method: string;
  /** Below the prefix; parameters as `:name`. */
  readonly path: string;
}

/** What a router really answers: HEAD besides GET, every method of a catch-all. */
const routesOf = (router: Router): Route[] =>
  router.stack.flatMap(({ methods, path }) =>
    [...new Set(methods)].map((method) => ({ method, path: String(path).slice(PREFIX.length) })),
  );

/** What a route needs by the tables; undefined: nobody said. */
function needsOf({ method, path }: Route): Needs | undefined {
  if (path === CATCH_ALL) return 'any';
  if (BESIDES[path] !== undefined) return /^(GET|HEAD)$/.test(method) ? BESIDES[path] : undefined;
  const asked = method === 'HEAD' ? 'get' : method.toLowerCase();
  return ADMIN_OPERATIONS.find((one) => one.method === asked && one.path === path)?.scope;
}

type AdminApi = Parameters<typeof createAdminApi>[0];
type Stands = Pick<AdminApi, 'db' | 'facts' | 'reader' | 'refusals'>;

/** The router as the broker makes it, standing on nothing: only its stack is looked at. */
const adminRouter = (): Router =>
  createAdminApi({
    issuer: 'http://127.0.0.1',
    adminToken: ADMIN_TOKEN,
    now: Date.now,
    servicesOn: (db) => createAdminServices(db, 'http://127.0.0.1'),
    onChange: async () => {},
    // No request ever reaches these.
    ...({ db: {}, facts: {}, reader: {}, refusals: {} } as Stands),
  });

// Fetch cannot send these; they are answered like every other method of the catch-all.
const SENDABLE = /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$/;
const ROUTES = routesOf(adminRouter());
const CALLED = ROUTES.filter(({ method }) => SENDABLE.test(method));

describe('the routes', () => {
  it('are those of the tables, and nothing besides', () => {
    expect(ROUTES.filter((route) => needsOf(route) === undefined)).toEqual([]);
    const answered = new Set(ROUTES.map(({ method, path }) => `${method.toLowerCase()} ${path}`));
    const listed = ADMIN_OPERATIONS.map(({ method, path }) => `${method} ${path}`);
    expect(listed.filter((one) => !answered.has(one))).toEqual([]);
    expect(new Set(listed).size).toBe(listed.length);
  });

  it('an unlisted one is found, and so is an unlisted method of a listed path', () => {
    const router = adminRouter();
    router.get('/secrets', () => {});
    router.post('/audit', () => {});
    expect(routesOf(router).filter((route) => needsOf(route) === undefined)).toEqual([
      { method: 'HEAD', path: '/secrets' },
      { method: 'GET', path: '/secrets' },
      { method: 'POST', path: '/audit' },
    ]);
  });
});

describe('M2: every route × every bearer', () => {
  let t: TestBroker;
  let bearers: Bearers;
  /** What the bootstrap token was answered while there was no administrator. */
  const reference = new Map<string, number>();

  beforeAll(async () => {
    t = await startTestBroker({ config: { trustedProxies: 1 } });
    const bootstrap: Bearer = { authorization: `Bearer ${ADMIN_TOKEN}`, scopes: 'none' };
    for (const route of CALLED) reference.set(keyOf(route), (await call(route, bootstrap)).status);
    bearers = await castBearers(t);
  }, 120_000);
  afterAll(() => t.close());

  const keyOf = ({ method, path }: Route): string => `${method} ${path}`;

  /** Nothing is changed by these: the parameters name nothing, the bodies say nothing. */
  function call(route: Route, { authorization, headers, query = '' }: Bearer) {
    const path = route.path === CATCH_ALL ? '/no/such/thing' : route.path;
    return callAdmin(t, route.method, `${path.replace(/:\w+/g, 'nothing')}${query}`, {
      authorization,
      ...(headers === undefined ? {} : { headers }),
      ...(/^(POST|PUT|PATCH)$/.test(route.method) ? { body: { of_no_use: true } } : {}),
    });
  }

  function expected(route: Route, { scopes }: Bearer): number {
    const needs = needsOf(route);
    if (scopes === 'none' || needs === undefined) return 401;
    return needs === 'any' || scopes.includes(needs) ? (reference.get(keyOf(route)) ?? 0) : 403;
  }

  const challengeOf = (status: number, route: Route): RegExp | undefined => {
    if (status === 401) return /^Bearer realm="behalf admin"(, error="invalid_token", |$)/;
    if (status !== 403) return undefined;
    return new RegExp(
      `^Bearer realm="behalf admin", error="insufficient_scope", scope="${needsOf(route)}"$`,
    );
  };

  it.each(CALLED)('$method $path', async (route) => {
    const wrong: unknown[] = [];
    for (const [name, bearer] of Object.entries(bearers)) {
      const { status, headers, body } = await call(route, bearer);
      const wanted = expected(route, bearer);
      const challenge = headers.get('www-authenticate');
      const pattern = challengeOf(wanted, route);
      const asIs = pattern === undefined ? challenge === null : pattern.test(challenge ?? '');
      const isProblem =
        status < 400 ||
        route.method === 'HEAD' ||
        (body.type === 'about:blank' && body.status === status);
      if (status !== wanted || !asIs || !isProblem) wrong.push({ name, status, wanted, challenge });
    }
    expect(wrong).toEqual([]);
  });

  it('the bootstrap token could do everything before there was an administrator', () => {
    const kept = [...reference].filter(([, status]) => [401, 403, 429].includes(status));
    expect([kept, reference.size]).toEqual([[], CALLED.length]);
    expect(reference.get('GET /agents')).toBe(200);
  });

  it('nobody without standing changed anything, or was told a secret', async () => {
    const rows = await t.opened.db.run<{ by: string }>(
      "select distinct by from audit_events where type like 'registry.%' or type = 'world.applied'",
    );
    expect(rows).toEqual([{ by: 'cli' }]);
    expect(t.logged.join('')).not.toContain(ADMIN_TOKEN);
  });
});
