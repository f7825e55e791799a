// `npm run bench [-- section…]`: the numbers of DESIGN §13, as ratios in one run. Give it a machine
// that does nothing else. It fails when something did not work, never because something was slow.
import { tableOf } from './figures.js';
import { SECTIONS } from './sections.js';

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in SECTIONS));
if (unknown.length > 0) {
  throw new Error(
    `no section ${unknown.join(', ')}; there are ${Object.keys(SECTIONS).join(', ')}`,
  );
}
for (const [name, { title, run }] of Object.entries(SECTIONS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  process.stdout.write(`${tableOf(title, await run('full'))}\n\n`);
}
process.exit(0);
