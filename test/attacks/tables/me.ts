// I, L, M at a user's own pages: nobody stops, sees or signs in for somebody else, and what was
// stopped there is stopped.
import { ANSWERED, type Attack, SERVED, seen } from '../support/attack.js';
import type { Browser } from '../support/http.js';
import { listed } from '../support/pages.js';
import type { Party } from '../support/party.js';
import type { AttackWorld } from '../support/world.js';

const FORBIDDEN = '403 page';
const NOTHING = '404 page';

const consentOf = async (w: AttackWorld, { user }: Party): Promise<string> => {
  const [row] = await w.db.run<{ id: string }>(
    'select id from consents where user_id = $1 and ended_at is null order by created_at limit 1',
    [user.id],
  );
  return row?.id ?? '';
};
const sessionOf = async (w: AttackWorld, { user }: Party): Promise<string> => {
  const [row] = await w.db.run<{ id: string }>(
    'select id from user_sessions where user_id = $1 and ended_at is null limit 1',
    [user.id],
  );
  return row?.id ?? '';
};
/** The form field of somebody who is signed in. */
const formOf = (w: AttackWorld, browser: Browser): Promise<string> =>
  w.honestly(async () => {
    const page = await browser.get('/me');
    return w.form(page, '/end', '/me').fields.get('form') ?? '';
  });

/** Every deed, as an attacker would have it done. */
const deeds = async (w: AttackWorld, victim: Party): Promise<readonly string[]> => [
  `/me/consents/${await consentOf(w, victim)}/stop`,
  '/me/stop',
  `/me/sessions/${await sessionOf(w, victim)}/end`,
  '/me/sign-out-everywhere',
  '/me/password',
];
const FIELDS = { actor: '', agents: 'stop', current: 'x', next: 'a password of theirs' };

const post = async (
  browser: Browser,
  paths: readonly string[],
  fields: Readonly<Record<string, string>>,
  headers: Record<string, string> = {},
): Promise<string[]> => {
  const sights: string[] = [];
  for (const path of paths) sights.push(seen(await browser.post(path, fields, headers)));
  return sights;
};
const allOf = (sight: string): string[] => Array.from({ length: 5 }, () => sight);
const stillActs = (party: Party) =>
  party.tokens().then((tokens) => party.refresh(tokens.refresh_token));

export const ownPages: readonly Attack[] = [
  {
    id: 'I1',
    name: 'another site posts every form of the own pages in a signed-in browser',
    run: async (w) => {
      const form = await formOf(w, w.ana.browser);
      return post(
        w.ana.browser,
        await deeds(w, w.ana),
        { ...FIELDS, form },
        {
          origin: 'https://evil.example',
          'sec-fetch-site': 'cross-site',
        },
      );
    },
    expected: allOf(FORBIDDEN),
    neighbour: (w) => stillActs(w.ana),
  },
  {
    id: 'I1',
    name: 'every form of the own pages is posted with the sealed field of another user',
    run: async (w) => {
      const form = await formOf(w, w.ben.browser);
      return post(w.ana.browser, await deeds(w, w.ana), { ...FIELDS, form });
    },
    expected: allOf(FORBIDDEN),
    neighbour: (w) => stillActs(w.ana),
  },
  {
    id: 'M2',
    name: 'a user stops and reads what is another’s: it does not exist',
    run: async (w) => {
      const form = await formOf(w, w.ben.browser);
      const [stop, , end] = await deeds(w, w.ana);
      const read = await w.ben.browser.get((stop as string).replace('/stop', ''));
      return [
        ...(await post(w.ben.browser, [stop as string, end as string], { form })),
        seen(read),
      ];
    },
    expected: [NOTHING, NOTHING, NOTHING],
    neighbour: (w) => stillActs(w.ana),
  },
  {
    id: 'I11',
    name: 'a sign-in form of the attacker’s browser is posted in the victim’s',
    run: async (w) => {
      const { attacker, victim } = { attacker: w.browser(), victim: w.browser() };
      const { answer, url } = await w.honestly(() => attacker.open('/me'));
      await w.honestly(() => victim.open('/me'));
      const { action, fields } = w.form(answer, '/me/sign-in', url);
      const { email, password } = w.ben.user;
      const sent = await victim.post(action, { ...listed(fields), email, password });
      return [seen(sent), seen(await victim.get('/me'))];
    },
    expected: [FORBIDDEN, '200 page sign-in'],
  },
  {
    id: 'I10',
    name: 'a session planted before the sign-in at the own pages is nobody’s afterwards',
    run: async (w) => {
      const victim = w.browser();
      await w.honestly(() => victim.get('/logout'));
      const planted = victim.cookie('behalf_session') ?? '';
      const signature = victim.cookie('behalf_session.sig') ?? '';
      await w.honestly(async () => {
        const { answer, url } = await victim.open('/me');
        const { action, fields } = w.form(answer, '/me/sign-in', url);
        const { email, password } = w.ana.user;
        return victim.post(action, { ...listed(fields), email, password });
      });
      const cookie = `behalf_session=${planted}; behalf_session.sig=${signature}`;
      const answer = await w.send('/me', { headers: { accept: 'text/html', cookie } });
      return [planted !== '', victim.cookie('behalf_session') !== planted, seen(answer)];
    },
    expected: [true, true, '200 page sign-in'],
    unaudited: ANSWERED,
  },
  {
    id: 'I13',
    name: 'links of another site to the own pages and to sign-out do nothing but ask',
    run: async (w) => {
      const foreign = { 'sec-fetch-site': 'cross-site', referer: 'https://evil.example/' };
      const answers = [];
      for (const path of ['/me/stop', '/me/sign-out-everywhere', '/logout'])
        answers.push(seen(await w.ana.browser.get(path, foreign)));
      return answers;
    },
    expected: ['200 page', '200 page', '200 page'],
    unaudited: SERVED,
    neighbour: (w) => stillActs(w.ana),
  },
  {
    id: 'L7',
    name: 'tokens of what was stopped at the own pages are presented, refreshed and asked for again',
    run: async (w) => {
      const party = await w.cast();
      const tokens = await party.tokens();
      await w.honestly(async () => {
        const page = await party.browser.get('/me');
        const { action, fields } = w.form(page, '/stop', '/me');
        return party.browser.post(action, listed(fields));
      });
      const introspected = await w.introspect(tokens.access_token);
      const refreshed = await party.refresh(tokens.refresh_token);
      const asked = await party.browser.open(party.url());
      return [introspected.body, seen(refreshed), seen(asked.answer)];
    },
    expected: [{ active: false }, '400 invalid_grant', '200 page decision'],
  },
  {
    id: 'L7',
    name: 'the browser of an ended session asks on: pages, a code in silence, an open consent page',
    run: async (w) => {
      const party = await w.cast();
      const { form } = await w.honestly(() =>
        w.consentPage(party.browser, party.url({ prompt: 'consent' }), party.user),
      );
      await w.honestly(async () => {
        const page = await party.browser.get('/me/sign-out-everywhere');
        const { action, fields } = w.form(page, '/sign-out-everywhere', '/me');
        const copy = w.browser();
        for (const [key, one] of party.browser.jar) copy.jar.set(key, one);
        return copy.post(action, listed(fields));
      });
      const own = await party.browser.get('/me');
      const silent = await party.browser.get(party.url({ prompt: 'none' }));
      const decided = await party.browser.post(form.action, {
        ...listed(form.fields),
        decision: 'allow',
      });
      return [seen(own), seen(silent), seen(decided)];
    },
    expected: ['200 page sign-in', '303 to client login_required', '400 page'],
  },
];
