/** `behalf explain`: what was decided, by which rule, and what would change it, a line each. */
import { text as readText } from 'node:stream/consumers';
import type { Command } from 'commander';
import { safeText } from '../audit/safe-text.js';
import { readConfig } from '../config.js';
import { openAdmin } from './admin.js';
import { print } from './print.js';

/** As the admin API answers. */
interface Answer {
  readonly sentence: string;
  readonly state: string | null;
  readonly expires_at: string | null;
  readonly rule: string | null;
  readonly why: string | null;
  readonly taken_away: ReadonlyArray<{ readonly scope: string; readonly by: readonly string[] }>;
  readonly stops: ReadonlyArray<Readonly<Record<'key' | 'revoked_at' | 'by' | 'reason', string>>>;
  readonly now: string | null;
  readonly now_why: string | null;
  readonly change: ReadonlyArray<{ readonly says: string; readonly command: string | null }> | null;
}

export function addExplain(program: Command): void {
  program
    .command('explain <event|token>')
    .description('why an event or a token is what it is, and what would allow it; - reads a token')
    .action(async (what: string, _options: unknown, command: Command) => {
      const of = what === '-' ? tokenIn(await readText(process.stdin)) : what;
      const admin = await openAdmin(readConfig());
      try {
        const answer = (await admin.call('post', '/explain', { body: { of } })) as Answer;
        if (command.optsWithGlobals().json === true) return print(answer, { json: true });
        process.stdout.write(`${describe(answer).map(oneLine).join('\n')}\n`);
      } finally {
        await admin.close();
      }
    });
}

/** What is piped in may be a token, or the answer or the table it stands in. */
export const tokenIn = (text: string): string =>
  /\beyJ[\w-]+\.[\w-]+\.[\w-]+/.exec(text)?.[0] ?? text.trim();

const LINE_CHARS_MAX = 6000;
const oneLine = (line: string): string => safeText(line, LINE_CHARS_MAX);

/** For people. */
export function describe(answer: Answer): string[] {
  const { change, expires_at: expiresAt, now, now_why: nowWhy, rule, state, stops, why } = answer;
  const until =
    state === 'alive' ? ` until ${expiresAt}` : state === 'expired' ? ` ${expiresAt}` : '';
  return [
    answer.sentence,
    ...(state === null ? [] : [`token    ${state.replace('_', ' ')}${until}`]),
    ...(rule === null ? [] : [`rule     ${rule}${why === null ? '' : `: ${why}`}`]),
    ...(rule !== null || why === null ? [] : [`lost     ${why}`]),
    ...answer.taken_away.map(({ scope, by }) => `lost     ${scope}, by ${by.join(', ')}`),
    ...stops.map(
      (stop) => `stopped  ${stop.key}, ${stop.revoked_at}, by ${stop.by}: ${stop.reason}`,
    ),
    ...(now === null ? [] : [`now      ${now}${nowWhy === null ? '' : `: ${nowWhy}`}`]),
    ...(change ?? []).map(({ says }, n) => `change   ${n + 1}. ${says}`),
    ...(change ?? []).flatMap(({ command }) => (command === null ? [] : [`  ${command}`])),
    ...(change === null && now === 'refused'
      ? ['change   none of these rules can be changed']
      : []),
  ];
}
