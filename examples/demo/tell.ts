/** How the story is told, and checked while it is told. */

export const say = (line = ''): void => void process.stdout.write(`${line}\n`);

/** A name and what is to be said of it. */
export const line = (name: string, text: unknown): void => say(`  ${name.padEnd(12)} ${text}`);

export function expect(truth: boolean, what: string): void {
  if (!truth) throw new Error(`the story went otherwise: ${what}`);
}

export interface Claims {
  readonly sub: string;
  readonly aud: string;
  readonly client_id: string;
  readonly scope: string;
  readonly agent_scope?: string;
  readonly act?: Act;
  readonly exp: number;
}

interface Act {
  readonly sub: string;
  readonly iss: string;
  readonly sub_profile?: string;
  readonly act?: Act;
}

/** What a token says; nobody checks it here. */
export const read = (token: string): Claims =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());

export const actorsOf = ({ act }: Claims): string[] => {
  const actors: string[] = [];
  for (let level = act; level !== undefined; level = level.act) actors.push(level.sub);
  return actors;
};

export const secondsLeft = ({ exp }: Claims): number => Math.round(exp - Date.now() / 1000);
