// The statements a database is sent, read from the server's own log: what a round-trip budget is
// spent on, said when it is exceeded.
import { connect } from '../../support/postgres-server.js';

export interface StatementLog {
  /** Everything since the last call, in order, one line each. */
  take(): Promise<string[]>;
  close(): Promise<void>;
}

/** Only connections opened from now on are logged. Superusers only, which tests are. */
export async function logStatements(url: string): Promise<StatementLog> {
  const sql = connect(url);
  const { pathname } = new URL(url);
  await sql.unsafe(`alter database ${pathname.slice(1)} set log_statement = 'all'`);
  const [row] = await sql<[{ path: string }]>`
    select regexp_replace(current_setting('data_directory'), '/data$', '/log') as path`;
  let from = 0;
  return {
    take: async () => {
      const [{ bytes }] = await sql<
        [{ bytes: Buffer }]
      >`select pg_read_binary_file(${row.path}) as bytes`;
      const text = bytes.subarray(from).toString();
      from = bytes.length;
      return statementsIn(text);
    },
    close: () => sql.end(),
  };
}

/** Entries are `… LOG:  execute <name>: …` or `… LOG:  statement: …`; further lines are indented. */
function statementsIn(text: string): string[] {
  const entries = text.replaceAll(/\n\s+/g, ' ').split('\n');
  return entries.flatMap((entry) => {
    const match = /LOG: {2}(?:execute [^:]*|statement): (.*)$/.exec(entry);
    return match === null ? [] : [(match[1] as string).trim()];
  });
}
