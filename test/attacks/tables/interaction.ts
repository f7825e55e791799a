// I: the pages between a request and its answer. What is granted is what was shown, to whom it was
// shown, in the browser it was shown in.
import { sql } from 'drizzle-orm';
import * as schema from '../../../schema/index.js';
import { pkce } from '../../support/broker.js';
import { ANA, BEN, DESKTOP, FILES, HOST, LOOPBACK, OTHER_AGENT } from '../../support/world.js';
import { type Attack, NO_SUCH_PLACE, SERVED, seen } from '../support/attack.js';
import { encodePart } from '../support/forge.js';
import type { Browser, Fields } from '../support/http.js';
import { type Form, listed } from '../support/pages.js';
import type { Party } from '../support/party.js';
import type { AttackWorld } from '../support/world.js';

const FORBIDDEN = '403 page';

const opened = (w: AttackWorld, party: Party, browser: Browser = party.browser, more = {}) =>
  w.honestly(() => w.consentPage(browser, party.url({ prompt: 'consent', ...more }), party.user));
const signInForm = async (w: AttackWorld, browser: Browser, party: Party) => {
  const { answer, url } = await w.honestly(() => browser.open(party.url({ prompt: 'login' })));
  return { form: w.form(answer, '/sign-in', url), url };
};
const allow = (form: Form, more: Fields = {}): Fields => ({
  ...listed(form.fields),
  decision: 'allow',
  ...more,
});
const credentials = (
  form: Form,
  { email, password }: { email: string; password: string },
  more: Fields = {},
): Fields => ({
  ...listed(form.fields),
  email,
  password,
  ...more,
});
const still = async (w: AttackWorld, party: Party, form: Form): Promise<string> => {
  const { answer } = await w.honestly(async () =>
    party.browser.follow(await party.browser.post(form.action, allow(form))),
  );
  return seen(answer);
};

const foreignHeaders: ReadonlyArray<readonly [string, Record<string, string>]> = [
  ['another origin', { origin: 'https://evil.example' }],
  ['the client’s origin', { origin: 'https://host.example' }],
  ['an opaque origin', { origin: 'null', 'sec-fetch-site': 'cross-site' }],
  ['an origin that continues ours', { origin: 'ISSUER.evil.example' }],
  ['a sub-domain of the site', { 'sec-fetch-site': 'same-site' }],
  ['another site', { 'sec-fetch-site': 'cross-site' }],
];

const forgeries: readonly Attack[] = foreignHeaders.flatMap(([name, given]): Attack[] => {
  const headers = (w: AttackWorld) =>
    Object.fromEntries(Object.entries(given).map(([k, v]) => [k, v.replace('ISSUER', w.issuer)]));
  return [
    {
      id: 'I1',
      name: `the consent form is posted from ${name}; the form itself survives`,
      run: async (w) => {
        const party = await w.cast();
        const { form } = await opened(w, party);
        return [
          seen(await party.browser.post(form.action, allow(form), headers(w))),
          await still(w, party, form),
        ];
      },
      expected: [FORBIDDEN, '303 to client with a code'],
    },
    {
      id: 'I1',
      name: `the sign-in form is posted from ${name}`,
      run: async (w) => {
        const party = await w.cast();
        const { form } = await signInForm(w, party.browser, party);
        return seen(
          await party.browser.post(form.action, credentials(form, party.user), headers(w)),
        );
      },
      expected: FORBIDDEN,
    },
    {
      id: 'I1',
      name: `"not you?" is posted from ${name}`,
      run: async (w) => {
        const party = await w.cast();
        const { form } = await opened(w, party);
        return seen(
          await party.browser.post(
            form.action.replace('/decision', '/switch-user'),
            {},
            headers(w),
          ),
        );
      },
      expected: FORBIDDEN,
    },
  ];
});

const tampered: ReadonlyArray<readonly [string, (shown: string) => string | undefined]> = [
  ['missing', () => undefined],
  ['empty', () => ''],
  ['garbage', () => 'garbage'],
  ['without its seal', (s) => s.slice(0, s.lastIndexOf('.'))],
  ['with an empty seal', (s) => `${s.slice(0, s.lastIndexOf('.'))}.`],
  ['with a seal of zeros', (s) => `${s.slice(0, s.lastIndexOf('.'))}.${'A'.repeat(43)}`],
  ['with a seal cut short', (s) => s.slice(0, -1)],
  ['with a character more', (s) => `${s}A`],
  [
    'with scopes added',
    (s) =>
      reshown(s, (shown) => ({
        ...shown,
        offered: [...(shown.offered as string[]), 'files:delete', 'admin:quota'],
      })),
  ],
  [
    'for another agent',
    (s) =>
      reshown(s, (shown) => ({
        ...shown,
        request: { ...(shown.request as object), agentId: OTHER_AGENT },
      })),
  ],
  ['for another user', (s) => reshown(s, (shown) => ({ ...shown, userId: ANA.id }))],
  [
    'for another redirect',
    (s) =>
      reshown(s, (shown) => ({
        ...shown,
        request: { ...(shown.request as object), redirectUri: 'https://evil.example' },
      })),
  ],
  ['of a hundred kilobytes', (s) => s + 'A'.repeat(50_000)],
];

/** The same seal around another content. */
function reshown(sealed: string, change: (shown: Record<string, unknown>) => object): string {
  const [body = '', mac] = sealed.split('.');
  const content = JSON.parse(Buffer.from(body, 'base64url').toString());
  return `${encodePart({ ...content, value: change(content.value) })}.${mac}`;
}

const shownOnly: readonly Attack[] = [
  ...tampered.map(
    ([name, change]): Attack => ({
      id: 'I7',
      name: `what was shown is ${name}; the real form survives`,
      run: async (w) => {
        const party = await w.cast();
        const { form } = await opened(w, party);
        const shown = change(form.fields.get('shown') ?? '');
        return [
          seen(await party.browser.post(form.action, allow(form, { shown }))),
          await still(w, party, form),
        ];
      },
      expected: [FORBIDDEN, '303 to client with a code'],
    }),
  ),
  {
    id: 'I7',
    name: 'what was shown in another interaction of the same user',
    run: async (w) => {
      const party = await w.cast();
      const other = await opened(w, party, party.browser, { scope: 'files:write' });
      const mine = await opened(w, party, party.browser, { scope: 'files:list' });
      return seen(
        await party.browser.post(
          mine.form.action,
          allow(mine.form, { shown: other.form.fields.get('shown') ?? '' }),
        ),
      );
    },
    expected: FORBIDDEN,
  },
  {
    id: 'I7',
    name: 'what was shown to another user',
    run: async (w) => {
      const [party, victim] = [await w.cast(), await w.cast()];
      const theirs = await opened(w, victim);
      const mine = await opened(w, party);
      return seen(
        await party.browser.post(
          mine.form.action,
          allow(mine.form, { shown: theirs.form.fields.get('shown') ?? '' }),
        ),
      );
    },
    expected: FORBIDDEN,
  },
  {
    id: 'I7',
    name: 'the seal of the sign-in form as what was shown',
    run: async (w) => {
      const party = await w.cast();
      const signIn = await signInForm(w, w.browser(), party);
      const mine = await opened(w, party);
      return seen(
        await party.browser.post(
          mine.form.action,
          allow(mine.form, { shown: signIn.form.fields.get('form') ?? '' }),
        ),
      );
    },
    expected: FORBIDDEN,
  },
  ...['files:write', 'files:read', 'files:delete', 'admin:quota', '*', '__proto__', 'email'].map(
    (scope): Attack => ({
      id: 'I7',
      name: `a scope box made by hand, ${JSON.stringify(scope)}: not granted`,
      unaudited: SERVED,
      run: (w) =>
        w.honestly(async () => {
          const party = await w.cast({ scope: 'files:list' });
          const { verifier, challenge } = pkce();
          const answer = await w.walk(
            party.browser,
            party.url({ prompt: 'consent', scope: 'files:list' }, challenge),
            party.user,
            { scope: ['files:list', scope] },
          );
          const code = new URL(answer.headers.location ?? '').searchParams.get('code') ?? '';
          const tokens = await party.tokens({ code, verifier, redirectUri: party.redirectUri });
          const rows = await w.db.run<{ scopes: string }>(
            `select array_to_string(scopes, ' ') as scopes from grants where user_id = $1
             order by created_at desc limit 1`,
            [party.user.id],
          );
          return [tokens.scope, ...rows.map(({ scopes }) => scopes)];
        }),
      expected: ['files:list', 'files:list'],
    }),
  ),
  ...['999999999', '-1', '1e9', 'NaN', '2592000000', '0', '__proto__'].map(
    (duration_seconds): Attack => ({
      id: 'I7',
      name: `a duration made by hand, ${duration_seconds}: one of those shown instead`,
      unaudited: SERVED,
      run: (w) =>
        w.honestly(async () => {
          const party = await w.cast();
          await w.walk(party.browser, party.url({ prompt: 'consent' }), party.user, {
            duration_seconds,
          });
          const [row] = await w.db.run<{ days: number }>(
            `select max(extract(epoch from expires_at - clock_timestamp()) / 86400)::float8 as days from grants where user_id = $1`,
            [party.user.id],
          );
          return Math.ceil(row?.days ?? 0);
        }),
      expected: 30,
    }),
  ),
  ...(
    [
      'agent',
      'requested_actor',
      'resource',
      'client_id',
      'redirect_uri',
      'user_id',
      'userId',
      'grantId',
      'act',
    ] as const
  ).map(
    (name): Attack => ({
      id: 'I7',
      name: `${name} added to the consent form changes nothing`,
      unaudited: SERVED,
      run: (w) =>
        w.honestly(async () => {
          const party = await w.cast();
          const value = {
            agent: OTHER_AGENT,
            requested_actor: OTHER_AGENT,
            resource: 'https://notes.example/api',
            client_id: 'cli_stranger',
            redirect_uri: 'https://evil.example',
            user_id: ANA.id,
            userId: ANA.id,
            grantId: 'gnt_x',
            act: '{}',
          }[name];
          const answer = await w.walk(party.browser, party.url({ prompt: 'consent' }), party.user, {
            [name]: value,
          });
          const [row] = await w.db.run<{
            user_id: string;
            agent_id: string;
            client_id: string;
            resource: string;
          }>(
            'select user_id, agent_id, client_id, resource from grants order by created_at desc limit 1',
          );
          const { user, agent, client, redirectUri } = party;
          return [
            row?.user_id === user.id &&
              row.agent_id === agent &&
              row.client_id === client &&
              row.resource === FILES,
            answer.headers.location?.startsWith(`${redirectUri}?code=`),
          ];
        }),
      expected: [true, true],
    }),
  ),
];

const stages: readonly Attack[] = [
  {
    id: 'I6',
    name: 'the consent form is posted before anybody signed in: back to the missing stage',
    refs: ['18', '38', '52'],
    unaudited: 'not refused: sent back to where the person is',
    run: async (w) => {
      const party = await w.cast();
      const mine = await opened(w, party);
      const stranger = w.browser();
      const { url } = await stranger.open(party.url());
      return seen(await stranger.post(`${url}/decision`, allow(mine.form)));
    },
    expected: '303 to interaction',
  },
  {
    id: 'I6',
    name: 'an empty consent form before anybody signed in',
    refs: ['38'],
    unaudited: 'not refused: sent back to where the person is',
    run: async (w) => {
      const stranger = w.browser();
      const { url } = await stranger.open(w.ana.url());
      return seen(await stranger.post(`${url}/decision`, {}));
    },
    expected: '303 to interaction',
  },
  {
    id: 'I6',
    name: 'an empty consent form of a signed-in user',
    refs: ['38'],
    run: async (w) => {
      const party = await w.cast();
      const { form } = await opened(w, party);
      return seen(await party.browser.post(form.action, {}));
    },
    expected: FORBIDDEN,
  },
  {
    id: 'I6',
    name: 'a consent form without a decision is a no',
    refs: ['38'],
    run: async (w) => {
      const party = await w.cast();
      const { form } = await opened(w, party);
      const { answer } = await party.browser.follow(
        await party.browser.post(form.action, listed(form.fields)),
      );
      return seen(answer);
    },
    expected: '303 to client access_denied',
  },
  ...['yes', 'ALLOW', 'allow ', '1', '__proto__'].map(
    (decision): Attack => ({
      id: 'I6',
      name: `decision=${decision} is a no`,
      run: async (w) => {
        const party = await w.cast();
        const { form } = await opened(w, party);
        const { answer } = await party.browser.follow(
          await party.browser.post(form.action, allow(form, { decision })),
        );
        return seen(answer);
      },
      expected: '303 to client access_denied',
    }),
  ),
  {
    id: 'I6',
    name: 'decision=deny before decision=allow: the first counts',
    run: async (w) => {
      const party = await w.cast();
      const { form } = await opened(w, party);
      const { answer } = await party.browser.follow(
        await party.browser.post(form.action, allow(form, { decision: ['deny', 'allow'] })),
      );
      return seen(answer);
    },
    expected: '303 to client access_denied',
  },
  {
    id: 'I6',
    name: 'no box ticked at the resource, identity alone: a no',
    run: async (w) => {
      const party = await w.cast();
      const { form } = await opened(w, party);
      const { answer } = await party.browser.follow(
        await party.browser.post(form.action, allow(form, { scope: 'openid' })),
      );
      return seen(answer);
    },
    expected: '303 to client access_denied',
  },
  {
    id: 'I6',
    name: 'the address to resume before anything was done: back to an interaction',
    refs: ['52'],
    unaudited: 'not refused: asked to sign in again',
    run: async (w) => {
      const stranger = w.browser();
      const { url } = await stranger.open(w.ana.url());
      return seen(await stranger.get(url.replace('/interaction/', '/authorize/')));
    },
    expected: '303 to interaction',
  },
  {
    id: 'I6',
    name: 'the address to resume after signing in, the consent page skipped',
    refs: ['18', '52'],
    unaudited: 'not refused: asked to consent',
    legitimate: { kinds: ['session'], because: 'the user did sign in' },
    run: async (w) => {
      const party = await w.cast();
      const browser = w.browser();
      const { form, url } = await signInForm(w, browser, {
        ...party,
        url: (more, challenge) => party.url({ ...more, prompt: 'consent' }, challenge),
      });
      await browser.post(form.action, credentials(form, party.user));
      return seen(await browser.get(url.replace('/interaction/', '/authorize/')));
    },
    expected: '303 to interaction',
  },
  ...['/sign-in', '/decision', '/switch-user'].map(
    (stage): Attack => ({
      id: 'I6',
      name: `GET ${stage}`,
      unaudited: NO_SUCH_PLACE,
      run: async (w) => {
        const stranger = w.browser();
        const { url } = await stranger.open(w.ana.url());
        return (await stranger.get(`${url}${stage}?decision=allow`)).status;
      },
      expected: 405,
    }),
  ),
];

const stolen: readonly Attack[] = [
  {
    id: 'I3',
    name: 'the address of an interaction in another browser',
    refs: ['51', '61'],
    unaudited: NO_SUCH_PLACE,
    run: async (w) => {
      const { url } = await w.browser().open(w.ana.url());
      return [seen(await w.browser().get(url)), seen(await w.ben.browser.get(url))];
    },
    expected: ['400 page', '400 page'],
  },
  {
    id: 'I3',
    name: 'the attacker’s address to resume in the victim’s browser',
    refs: ['51', '61'],
    run: async (w) => {
      const { url } = await w.browser().open(w.ana.url());
      return seen(await w.ben.browser.get(url.replace('/interaction/', '/authorize/')));
    },
    expected: '400 page',
  },
  {
    id: 'I3',
    name: 'the attacker’s consent form, form and all, posted by the victim’s browser',
    refs: ['61'],
    unaudited: NO_SUCH_PLACE,
    run: async (w) => {
      const party = await w.cast();
      const { form } = await opened(w, party);
      return seen(await w.ben.browser.post(form.action, allow(form)));
    },
    expected: '400 page',
  },
  {
    id: 'I3',
    name: 'an interaction cookie with another interaction’s id, unsigned',
    unaudited: NO_SUCH_PLACE,
    run: async (w) => {
      const victim = w.browser();
      const { url } = await victim.open(w.ana.url());
      const uid = url.split('/').pop();
      return seen(
        await w.send(new URL(url).pathname, {
          headers: { accept: 'text/html', cookie: `behalf_interaction=${uid}` },
        }),
      );
    },
    expected: '400 page',
  },
  {
    id: 'I3',
    name: 'an interaction cookie with another interaction’s id and one’s own signature',
    unaudited: NO_SUCH_PLACE,
    run: async (w) => {
      const [victim, mine] = [w.browser(), w.browser()];
      const { url } = await victim.open(w.ana.url());
      await mine.open(w.ana.url());
      const sig = mine.cookie('behalf_interaction.sig');
      const cookie = `behalf_interaction=${url.split('/').pop()}; behalf_interaction.sig=${sig}`;
      return seen(
        await w.send(new URL(url).pathname, { headers: { accept: 'text/html', cookie } }),
      );
    },
    expected: '400 page',
  },
  {
    id: 'I11',
    name: 'the attacker’s sign-in form posted into the victim’s interaction (login CSRF)',
    run: async (w) => {
      const [attacker, victim] = [w.browser(), w.browser()];
      const mine = await signInForm(w, attacker, w.ben);
      const theirs = await signInForm(w, victim, w.ana);
      return seen(
        await victim.post(
          theirs.form.action,
          credentials(theirs.form, BEN, { form: mine.form.fields.get('form') ?? '' }),
        ),
      );
    },
    expected: FORBIDDEN,
  },
  ...(['', 'garbage', undefined] as const).map(
    (form): Attack => ({
      id: 'I11',
      name: `a sign-in form whose seal is ${form === undefined ? 'missing' : JSON.stringify(form)}`,
      run: async (w) => {
        const victim = w.browser();
        const theirs = await signInForm(w, victim, w.ana);
        return seen(await victim.post(theirs.form.action, credentials(theirs.form, ANA, { form })));
      },
      expected: FORBIDDEN,
    }),
  ),
];

const sessions: readonly Attack[] = [
  {
    id: 'I10',
    name: 'a session cookie from before signing in is worth nothing afterwards (fixation)',
    refs: ['26'],
    run: async (w) => {
      const party = await w.cast();
      const browser = w.browser();
      await browser.get('/logout');
      const planted = new Map(browser.jar);
      const value = planted.get('behalf_session')?.value;
      await w.honestly(() => w.walk(browser, party.url({ prompt: 'consent' }), party.user));
      const attacker = w.browser();
      for (const [name, cookie] of planted) attacker.jar.set(name, cookie);
      return [
        value !== undefined,
        value !== browser.cookie('behalf_session'),
        seen(await attacker.get(party.url({ prompt: 'none' }))),
      ];
    },
    expected: [true, true, '303 to client login_required'],
  },
  {
    id: 'I10',
    name: 'the session’s id changes when somebody else signs in',
    unaudited: SERVED,
    run: async (w) => {
      const party = await w.cast();
      const before = party.browser.cookie('behalf_session');
      await w.honestly(() =>
        w.walk(party.browser, party.url({ prompt: 'login consent' }), party.user),
      );
      return party.browser.cookie('behalf_session') !== before;
    },
    expected: true,
  },
  ...(
    [
      [
        'another id under the same signature',
        (value: string, sig: string) =>
          `behalf_session=${value.slice(0, -1)}${value.endsWith('A') ? 'B' : 'A'}; behalf_session.sig=${sig}`,
      ],
      ['no signature', (value: string) => `behalf_session=${value}`],
      [
        'a signature of zeros',
        (value: string) => `behalf_session=${value}; behalf_session.sig=${'A'.repeat(27)}`,
      ],
      [
        'the signature first, twice',
        (value: string, sig: string) =>
          `behalf_session=x; behalf_session=${value}; behalf_session.sig=${sig}`,
      ],
      [
        'an id in upper case',
        (value: string, sig: string) =>
          `behalf_session=${value.toUpperCase()}; behalf_session.sig=${sig}`,
      ],
      ['__proto__ as id', () => 'behalf_session=__proto__; behalf_session.sig=x'],
    ] as const
  ).map(
    ([name, cookieOf]): Attack => ({
      id: 'I10',
      name: `a session cookie with ${name}`,
      run: async (w) => {
        const value = w.ana.browser.cookie('behalf_session') ?? '';
        const sig = w.ana.browser.cookie('behalf_session.sig') ?? '';
        const path = w.ana.url({ prompt: 'none' }).slice(w.issuer.length);
        return seen(await w.send(path, { headers: { cookie: cookieOf(value, sig) } }));
      },
      expected: '303 to client login_required',
    }),
  ),
  {
    id: 'I10',
    name: 'cookies are HttpOnly and SameSite, and the long one is for this host alone',
    unaudited: SERVED,
    run: async (w) => {
      const browser = w.browser();
      const first = await browser.get(w.ana.url());
      const out = await browser.get('/logout');
      const cookies = [...first.setCookies, ...out.setCookies];
      return [
        cookies.length > 3,
        cookies.filter(
          (c) => !/httponly/i.test(c) || !/samesite=lax/i.test(c) || /domain=/i.test(c),
        ),
      ];
    },
    expected: [true, []],
  },
];

const twice: readonly Attack[] = [
  {
    id: 'I8',
    name: 'the consent form is posted again after the answer was given',
    refs: ['53'],
    unaudited: NO_SUCH_PLACE,
    run: async (w) => {
      const party = await w.cast();
      const { form } = await opened(w, party);
      await still(w, party, form);
      return seen(await party.browser.post(form.action, allow(form)));
    },
    expected: '400 page',
  },
  {
    id: 'I8',
    name: 'the consent form is posted again with a yes after a no',
    refs: ['53'],
    unaudited: NO_SUCH_PLACE,
    run: async (w) => {
      const party = await w.cast();
      const { form } = await opened(w, party);
      await w.honestly(async () =>
        party.browser.follow(
          await party.browser.post(form.action, allow(form, { decision: 'deny' })),
        ),
      );
      return seen(await party.browser.post(form.action, allow(form)));
    },
    expected: '400 page',
  },
  {
    id: 'I8',
    name: 'ten consent forms at once: one code',
    refs: ['53'],
    legitimate: {
      kinds: ['grant', 'code', 'session', 'consent'],
      because: 'the user pressed the button ten times',
    },
    run: async (w) => {
      const party = await w.cast();
      const { form } = await opened(w, party);
      const posted = await Promise.all(
        Array.from({ length: 10 }, () => party.browser.post(form.action, allow(form))),
      );
      const resumed = await Promise.all(
        posted.map(({ headers }) => party.browser.get(headers.location ?? '/')),
      );
      return resumed.filter(({ headers }) => headers.location?.includes('code=')).length;
    },
    expected: 1,
  },
  {
    id: 'I8',
    name: 'two tabs: each answer goes to its own request',
    refs: ['53'],
    unaudited: SERVED,
    run: (w) =>
      w.honestly(async () => {
        const party = await w.cast();
        const one = await w.consentPage(
          party.browser,
          party.url({ prompt: 'consent', state: 'one', scope: 'files:list' }),
          party.user,
        );
        const two = await w.consentPage(
          party.browser,
          party.url({ prompt: 'consent', state: 'two', scope: 'files:read' }),
          party.user,
        );
        const answers = [];
        for (const { form } of [two, one]) {
          const { answer } = await party.browser.follow(
            await party.browser.post(form.action, allow(form)),
          );
          answers.push(
            new URL(answer.headers.location ?? `${w.issuer}/?error=none`).searchParams.get('state'),
          );
        }
        return answers;
      }),
    expected: ['two', 'one'],
  },
  {
    id: 'I9',
    name: 'prompt=none for a loopback client that has consent',
    run: async (w) => {
      await w.honestly(() =>
        w.walk(w.ana.browser, w.ana.url({ client_id: DESKTOP, redirect_uri: LOOPBACK }), ANA),
      );
      return seen(
        await w.ana.browser.get(
          w.ana.url({ client_id: DESKTOP, redirect_uri: LOOPBACK, prompt: 'none' }),
        ),
      );
    },
    expected: '303 to client consent_required',
  },
  ...(
    [
      ['another agent', { requested_actor: OTHER_AGENT, scope: 'files:read' }],
      ['more scopes', { scope: 'openid email files:write' }],
      ['another client', { client_id: DESKTOP, redirect_uri: LOOPBACK }],
    ] as const
  ).map(
    ([name, change]): Attack => ({
      id: 'I2',
      name: `a consent is not used for ${name}`,
      refs: ['30', '63'],
      run: async (w) => seen(await w.ana.browser.get(w.ana.url({ ...change, prompt: 'none' }))),
      expected: '303 to client consent_required',
    }),
  ),
  {
    id: 'I2',
    name: 'a consent of one user is not used for another',
    refs: ['30'],
    run: async (w) => {
      const [party, other] = [await w.cast(), await w.cast()];
      return seen(await other.browser.get(party.url({ prompt: 'none' })));
    },
    expected: '303 to client consent_required',
  },
];

const hostile: ReadonlyArray<readonly [string, string, RegExp]> = [
  ['a script', '<script>alert(1)</script>', /<script>alert/i],
  ['an image', '"><img src=x onerror=alert(1)>', /<img/i],
  ['an attribute', '" autofocus onfocus="alert(1)', /onfocus="alert/i],
  ['a single quote', "' onmouseover='alert(1)", /='[^'"<>]*' onmouseover/i],
  ['a style', '</title><style>*{display:none}</style>', /<style>/i],
  ['a form', '</form><form action="https://evil.example">', /<form action="https:\/\/evil/i],
  ['a link', '<a href="javascript:alert(1)">click</a>', /<a href="javascript/i],
  ['a template', '{{7919*7919}}$' + '{7919*7919}', /62710561/],
  ['a comment', '--><script>alert(1)</script><!--', /<script>alert/i],
  ['bidi controls', 'safe\u202Eexe.tpircs', /\u202E/],
  ['zero-width characters', 'Goo\u200Bgle\u2060', /[\u200B\u2060]/],
  ['control characters', 'a\u0007b\u001b[31mc', /[^\P{Cc}\s]/u],
  ['ten kilobytes', 'N'.repeat(10_000), /N{1000}/],
];

const injections: readonly Attack[] = [
  ...hostile.map(
    ([name, text, raw]): Attack => ({
      id: 'I5',
      name: `client, agent, owner, purpose, user, scope and resource are named with ${name}: inert on every page`,
      refs: ['K9'],
      unaudited: SERVED,
      legitimate: { kinds: ['session'], because: 'the pages of an honest walk' },
      run: async (w) => {
        const party = await w.cast();
        const resource = `https://${party.client.slice(4)}.example/api`;
        const { orm } = w.db;
        const scope = {
          title: text,
          description: text,
          risk: 'read' as const,
          restricted: false,
          implies: [],
          base: true,
        };
        await orm.insert(schema.resources).values({
          identifier: resource,
          name: text,
          scopes: { 'x:y': scope },
          tools: { [text.slice(0, 60)]: ['x:y'] },
        });
        await orm
          .insert(schema.permissions)
          .values({ principal: party.agent, resource, scopes: ['x:y'] });
        await orm.update(schema.clients).set({ name: text }).where(sql`id = ${party.client}`);
        await orm
          .update(schema.agents)
          .set({ name: text, owner: text, purpose: text, description: text })
          .where(sql`id = ${party.agent}`);
        await orm.update(schema.users).set({ name: text }).where(sql`id = ${party.user.id}`);
        await orm.update(schema.policyEpoch).set({ epoch: sql`epoch + 1` });
        await w.settle();
        const query = { resource, scope: 'x:y', prompt: 'login consent' };
        const browser = w.browser();
        const signIn = await browser.open(party.url(query));
        const consent = await w.consentPage(browser, party.url(query), party.user);
        return [signIn.answer, consent.answer].map((page) => [
          page.status,
          raw.test(page.text),
          /<script/i.test(page.text),
        ]);
      },
      expected: [
        [200, false, false],
        [200, false, false],
      ],
    }),
  ),
  ...hostile.slice(0, 10).map(
    ([name, text, raw]): Attack => ({
      id: 'I5',
      name: `login_hint, ui_locales, display and state carry ${name}: inert`,
      unaudited: SERVED,
      run: async (w) => {
        const page = await w
          .browser()
          .open(w.ana.url({ login_hint: `${text}@x.example`, ui_locales: text, state: text }));
        return [page.answer.status, raw.test(page.answer.text)];
      },
      expected: [200, false],
    }),
  ),
  ...hostile.slice(0, 9).map(
    ([name, text, raw]): Attack => ({
      id: 'I5',
      name: `state carries ${name} into the form_post page: inert`,
      unaudited: SERVED,
      run: async (w) => {
        const page = await w.honestly(() =>
          w.ana.browser.get(w.ana.url({ state: text, response_mode: 'form_post' })),
        );
        return [page.status, raw.test(page.text)];
      },
      expected: [200, false],
    }),
  ),
  ...hostile.slice(0, 9).map(
    ([name, text, raw]): Attack => ({
      id: 'I5',
      name: `the error pages are given ${name}: inert`,
      run: async (w) => {
        const pages = [
          await w.ana.browser.get(w.ana.url({ client_id: text })),
          await w.ana.browser.get(w.ana.url({ redirect_uri: text })),
          await w.ana.browser.get(w.ana.url({ request_uri: text })),
          await w.ana.browser.get(
            `/logout?${w.encode({ client_id: text, post_logout_redirect_uri: text, state: text })}`,
          ),
        ];
        return pages.map((page) => [page.status, raw.test(page.text)]);
      },
      expected: [400, 400, 303, 400].map((status) => [status, false]),
    }),
  ),
  {
    id: 'I5',
    name: 'a wrong address typed into the sign-in form comes back inert',
    run: async (w) => {
      const browser = w.browser();
      const { form } = await signInForm(w, browser, w.ana);
      const page = await browser.post(
        form.action,
        credentials(form, { email: '"><script>alert(1)</script>', password: 'x' }),
      );
      return [page.status, /<script/i.test(page.text)];
    },
    expected: [403, false],
  },
];

const outs: readonly Attack[] = [
  {
    id: 'I13',
    name: 'signing out by a link alone: a question, and the session stays',
    unaudited: SERVED,
    legitimate: { kinds: ['code', 'grant'], because: 'Ana is still signed in' },
    run: async (w) => {
      const page = await w.ana.browser.get('/logout');
      return [seen(page), seen(await w.ana.browser.get(w.ana.url({ prompt: 'none' })))];
    },
    expected: ['200 page', '303 to client with a code'],
  },
  {
    id: 'I13',
    name: 'signing out with another user’s id_token_hint: a question, and the session stays',
    unaudited: SERVED,
    legitimate: { kinds: ['code', 'grant'], because: 'Ana is still signed in' },
    run: async (w) => {
      const { id_token } = await w.ben.tokens();
      const page = await w.ana.browser.get(`/logout?${w.encode({ id_token_hint: id_token })}`);
      return [seen(page), seen(await w.ana.browser.get(w.ana.url({ prompt: 'none' })))];
    },
    expected: ['200 page', '303 to client with a code'],
  },
  ...(
    [
      ['without its token', () => ({ logout: 'yes' })],
      ['with a wrong token', () => ({ logout: 'yes', xsrf: 'x'.repeat(48) })],
      ['with two tokens', () => ({ logout: 'yes', xsrf: ['a', 'b'] })],
      [
        'with another browser’s token',
        async (w: AttackWorld) => {
          const page = await w.browser().get('/logout');
          return { logout: 'yes', xsrf: /name="xsrf" value="([^"]+)"/.exec(page.text)?.[1] };
        },
      ],
    ] as const
  ).map(
    ([name, fields]): Attack => ({
      id: 'I1',
      name: `the answer to signing out is posted ${name}: the session stays`,
      run: async (w) => {
        const party = await w.cast();
        await party.browser.get('/logout');
        const posted = await party.browser.post('/logout/confirm', (await fields(w)) as Fields);
        const after = await w.honestly(() => party.browser.get(party.url({ prompt: 'none' })));
        return [seen(posted), seen(after)];
      },
      expected: ['400 page', '303 to client with a code'],
    }),
  ),
  {
    id: 'I13',
    name: 'after signing out the old cookie is worth nothing, and agents go on',
    run: async (w) => {
      const party = await w.cast();
      const { refresh_token } = await party.tokens();
      const cookies = new Map(party.browser.jar);
      const page = await party.browser.get('/logout');
      const form = w.form(page, '/logout/confirm', '/logout');
      await party.browser.post(form.action, { ...listed(form.fields), logout: 'yes' });
      const thief = w.browser();
      for (const [name, cookie] of cookies) thief.jar.set(name, cookie);
      const tried = await thief.get(party.url({ prompt: 'none' }));
      return [seen(tried), seen(await w.honestly(() => party.refresh(refresh_token)))];
    },
    expected: ['303 to client login_required', '200 json'],
  },
];

const guesses: readonly Attack[] = [
  {
    id: 'M4',
    name: 'an unknown address and a wrong password are answered alike',
    run: async (w) => {
      const texts = [];
      for (const email of ['nobody@example.com', 'BEN@example.com']) {
        const browser = w.browser();
        const { form } = await signInForm(w, browser, w.ana);
        const page = await browser.post(
          form.action,
          credentials(form, { email, password: 'wrong wrong wrong' }),
        );
        texts.push(
          `${page.status} ${page.text
            .replaceAll(email, '')
            .replace(/value="[^"]*"/g, '')
            .replace(/interaction\/[\w-]+/g, '')}`,
        );
      }
      return texts[0] === texts[1] && texts[0]?.startsWith('403');
    },
    expected: true,
  },
  {
    id: 'M4',
    name: 'a sixth guess under another spelling of the same address waits as the same account',
    refs: ['40'],
    run: async (w) => {
      const party = await w.cast();
      const browser = w.browser();
      const { form } = await signInForm(w, browser, party);
      const { email } = party.user;
      const spellings = [email, email.toUpperCase(), ` ${email} `, `${email}\t`, email];
      for (const spelt of spellings) {
        await browser.post(form.action, credentials(form, { email: spelt, password: 'wrong' }));
      }
      const tried = await browser.post(form.action, credentials(form, party.user));
      return [tried.status, Number(tried.headers['retry-after']) <= 60];
    },
    expected: [429, true],
  },
  ...(['', '\0', 'x'.repeat(10_000), 'a@b\0', '😀'.repeat(300)] as const).map(
    (email): Attack => ({
      id: 'M4',
      name: `signing in as ${JSON.stringify(email.slice(0, 12))}${email.length > 12 ? '…' : ''}`,
      run: async (w) => {
        const browser = w.browser();
        const { form } = await signInForm(w, browser, w.ana);
        return seen(
          await browser.post(
            form.action,
            credentials(form, { email, password: email === '' ? '' : 'x' }),
          ),
        );
      },
      expected: '403 page sign-in',
    }),
  ),
  {
    id: 'I12',
    name: 'prompt=login in a signed-in browser asks again',
    unaudited: SERVED,
    run: async (w) => seen((await w.ana.browser.open(w.ana.url({ prompt: 'login' }))).answer),
    expected: '200 page sign-in',
  },
  {
    id: 'I12',
    name: 'acr_values nobody can reach are refused, not overlooked (RFC 9470 §5)',
    run: async (w) => {
      const { answer } = await w.ana.browser.open(
        w.ana.url({ acr_values: 'urn:gold', scope: 'openid files:read' }),
      );
      return new URL(answer.headers.location ?? '').searchParams.get('error');
    },
    expected: 'unmet_authentication_requirements',
  },
  ...(['max_age', 'prompt'] as const).map(
    (name): Attack => ({
      id: 'I12',
      name: `${name} of a pushed request is not lost on the way (RFC 9126)`,
      unaudited: SERVED,
      run: async (w) => {
        const asked = { max_age: '0', prompt: 'login' }[name];
        const pushed = await w.post(
          '/par',
          { ...w.ana.query(pkce().challenge), [name]: asked },
          HOST,
        );
        const { request_uri = '' } = JSON.parse(pushed.text) as { request_uri?: string };
        const query = w.encode({ client_id: HOST, request_uri });
        return seen((await w.ana.browser.open(`${w.issuer}/authorize?${query}`)).answer);
      },
      expected: '200 page sign-in',
    }),
  ),
];

export const interaction: readonly Attack[] = [
  ...forgeries,
  ...shownOnly,
  ...stages,
  ...stolen,
  ...sessions,
  ...twice,
  ...injections,
  ...outs,
  ...guesses,
];
