// `npm run bench [-- section…]`: the numbers of DESIGN §13, as ratios in one run. Give it a machine
// that does nothing else: where the load or PostgreSQL wait for a core, the server's batches stay small and
// its tokens dear. It fails when something did not work, never because something was slow.
import { type Postgres, startPostgres } from '../support/postgres-server.js';
import { tableOf } from './figures.js';
import { SECTIONS } from './sections.js';

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in SECTIONS));
if (unknown.length > 0) {
  throw new Error(
    `no section ${unknown.join(', ')}; there are ${Object.keys(SECTIONS).join(', ')}`,
  );
}
let postgres: Promise<Postgres> | undefined;
const postgresUrl = async () => {
  postgres ??= startPostgres({ durable: true });
  return (await postgres).url;
};
for (const [name, { title, run }] of Object.entries(SECTIONS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  process.stdout.write(`${tableOf(title, await run('full', postgresUrl))}\n\n`);
}
await (await postgres)?.stop();
process.exit(0);
