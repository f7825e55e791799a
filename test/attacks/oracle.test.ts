// The oracle itself: what it is there for, done on purpose, is found.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { record } from '../../src/broker/audit/store.js';
import { endGrant } from '../../src/broker/delegation/ends.js';
import { AGENT, FILES } from '../support/world.js';
import { type Attack, judge } from './support/attack.js';
import { type AttackWorld, startAttackWorld } from './support/world.js';

let w: AttackWorld;
beforeAll(async () => {
  w = await startAttackWorld();
});
afterAll(() => w?.close());

const findings = async (run: Attack['run'], more: Partial<Attack> = {}): Promise<string[]> => {
  const tally = await w.begin();
  await run(w);
  const attack = { id: 'O', name: 'planted', expected: undefined, run, ...more };
  // Where no event will ever come, nothing is waited for.
  return judge(w, attack, tally, async (look) => look());
};
const matching = (pattern: RegExp) => expect.arrayContaining([expect.stringMatching(pattern)]);
const own = (world: AttackWorld) =>
  world.token(AGENT, { grant_type: 'client_credentials', resource: FILES });

describe('the oracle of the attack suite', () => {
  it('finds a token that nobody earned, in the ledger and by introspection', async () => {
    const found = await findings(own);
    expect(found).toEqual(matching(/^alive afterwards: token crd_helper/));
    expect(found).toEqual(matching(/^an access token of the attack is active/));
  });

  it('finds a code, a grant, a refresh token and a session that nobody earned', async () => {
    const code = await findings(() => w.ana.browser.get(w.ana.url()));
    expect(code).toEqual(matching(/^alive afterwards: code/));
    expect(code).toEqual(matching(/^alive afterwards: grant/));
    const refresh = await findings(async () => w.ana.redeem(await w.ana.code()));
    expect(refresh).toEqual(matching(/^alive afterwards: refresh/));
    const party = await w.honestly(() => w.cast());
    const session = await findings(() =>
      w.walk(w.browser(), party.url({ prompt: 'consent' }), party.user),
    );
    expect(session).toEqual(matching(/^alive afterwards: session/));
  });

  it('finds nothing where everything was honest', async () => {
    expect(await findings(() => w.honestly(() => own(w)), { unaudited: 'all honest' })).toEqual([]);
  });

  it('forgives what has ended again', async () => {
    const found = await findings(async () => {
      await w.ana.redeem(await w.ana.code());
      const [row] = await w.db.run<{ id: string }>(
        'select id from grants order by created_at desc limit 1',
      );
      await endGrant(w.db, row?.id ?? '', 'test', 'admin');
    });
    expect(found).toEqual([]);
  });

  it('finds a refusal that no audit event tells of, and one that a case denies', async () => {
    expect(await findings(async () => undefined)).toEqual(['no audit event says it was refused']);
    const refused = await findings(() => w.token(AGENT, { grant_type: 'nonsense' }), {
      unaudited: 'a claim that is wrong',
    });
    expect(refused).toEqual(['an audit event exists after all']);
  });

  it('finds a secret in an answer and in the audit, in any spelling', async () => {
    const { access_token } = await w.ana.tokens();
    const echoed = await findings(() =>
      w.ana.browser.get(w.ana.url({ prompt: 'none', scope: 'nothing', state: access_token })),
    );
    expect(echoed).toEqual(matching(/gives back access token/));
    for (const spelling of ['utf8', 'hex', 'base64'] as const) {
      const secret = Buffer.from(`x${w.secrets[AGENT]}x`).toString(spelling);
      const audited = await findings(() =>
        record(w.db.orm, { type: 'token.refused', detail: { asked: secret.replaceAll('=', '') } }),
      );
      expect(audited).toEqual(matching(/^audit token.refused holds secret of agt_helper/));
    }
  });
});
