// README.md says what is so: its commands run, its links lead somewhere, its variables are read.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT, scratchFolder } from './support/repository.js';

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');

/** Where each command of the README is run. */
const RUN_BY: Readonly<Record<string, string>> = {
  'npm ci': '.ci/run',
  'npm test': '.ci/run',
  'npm run build': 'test/package.test.ts',
  'npm run demo': 'test/examples.test.ts',
  'node dist/src/broker/main.js apply examples/world.yaml --secrets secrets.json': 'here',
  'node dist/src/broker/main.js serve': 'test/cli/cli.test.ts',
};

const commands = [...readme.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block]) =>
  (block as string).trim().split('\n'),
);

describe('README.md', () => {
  it('gives no command that nothing runs, and keeps no list of forgotten ones', () => {
    expect([...new Set(commands)].sort()).toEqual(Object.keys(RUN_BY).sort());
    for (const place of Object.values(RUN_BY)) {
      expect([place, place === 'here' || existsSync(join(ROOT, place))]).toEqual([place, true]);
    }
  });

  it('starts with a world that applies in an empty folder as it is written', () => {
    const cwd = scratchFolder('readme');
    for (const command of commands) {
      if (RUN_BY[command] !== 'here') continue;
      const args = command.replace('examples/', join(ROOT, 'examples/')).split(' ').slice(2);
      const program = [
        join(ROOT, 'node_modules/tsx/dist/cli.mjs'),
        join(ROOT, 'src/broker/main.ts'),
      ];
      const said = execFileSync(process.execPath, [...program, ...args], {
        cwd,
        env: { PATH: process.env.PATH },
        encoding: 'utf8',
      });
      expect(said).toMatch(/^create {5}agent agt_scribe$/m);
    }
    expect([existsSync(join(cwd, 'secrets.json')), existsSync(join(cwd, '.behalf'))]).toEqual([
      true,
      true,
    ]);
  });

  it('links to files that exist', () => {
    const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(
      ([, path]) => path as string,
    );
    expect(links.length).toBeGreaterThan(5);
    expect(links.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  it('lists every variable that is read, besides SECRET, and no other', () => {
    const rows = readme.split('\n').filter((line) => /^\| `[A-Z]/.test(line));
    const listed = rows.flatMap((row) =>
      [...(row.split('|')[1] as string).matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name),
    );
    const config = ['environment.ts', 'registration-settings.ts']
      .map((name) => readFileSync(join(ROOT, 'src/broker', name), 'utf8'))
      .join('\n');
    const read = [...config.matchAll(/^ {2}([A-Z_]+): /gm)].map(([, name]) => name);
    expect(listed.sort()).toEqual(read.filter((name) => name !== 'SECRET').sort());
  });
});
