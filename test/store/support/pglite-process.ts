// A process that opens an embedded database, writes a line into it, and stays.
import { openPglite } from '../../../src/broker/db/pglite.js';

const { directory, line } = JSON.parse(process.argv[2] as string);

try {
  const db = await openPglite({ directory });
  await db.run('insert into roles (name) values ($1)', [line]);
  const rows = await db.run<{ name: string }>('select name from roles order by name');
  process.send?.({ lines: rows.map(({ name }) => name) });
} catch (error) {
  process.send?.({ refused: (error as Error).message });
}
process.on('disconnect', () => process.exit(0));
