// `behalf apply --secrets FILE`: a secret is shown once, so where it goes is settled before there is one.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ROOT, scratchFolder } from '../support/repository.js';

let cwd: string;
let world: string;

beforeAll(() => {
  cwd = scratchFolder('secrets-file');
  world = join(cwd, 'world.yaml');
});

function apply(file: string, ...more: string[]): Promise<{ code: number | null; said: string }> {
  const program = [
    '--import',
    join(ROOT, 'node_modules/tsx/dist/loader.mjs'),
    join(ROOT, 'src/broker/main.ts'),
  ];
  const args = [...program, 'apply', world, '--secrets', file, ...more];
  const env = { PATH: process.env.PATH, BEHALF_DATA_DIR: join(cwd, 'data') };
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  }
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, said })));
}

describe('apply --secrets FILE', () => {
  it('applies nothing when the file cannot be made', async () => {
    writeFileSync(world, 'agents: [{ id: agt_x, name: X, owner: O }]\n');
    const nowhere = await apply(join(cwd, 'missing', 'secrets.json'));
    expect([nowhere.code, nowhere.said]).toEqual([1, expect.stringContaining('ENOENT')]);
    const planned = await apply(join(cwd, 'unused.json'), '--dry-run');
    expect(planned).toEqual({ code: 0, said: 'create     agent agt_x\n' });
    expect(existsSync(join(cwd, 'unused.json'))).toBe(false);
  }, 60_000);

  it('leaves no file behind for a world that is refused, or that makes no secret', async () => {
    writeFileSync(world, 'agents: [{ id: agt_x, name: X }]\n');
    expect((await apply(join(cwd, 'refused.json'))).code).toBe(1);
    writeFileSync(world, 'roles: [cooks]\n');
    expect(await apply(join(cwd, 'none.json'))).toEqual({
      code: 0,
      said: 'create     role cooks\n',
    });
    expect(readdirSync(cwd).sort()).toEqual(['data', 'world.yaml']);
  }, 60_000);

  it('writes them for their owner only, and prints none', async () => {
    writeFileSync(world, 'agents: [{ id: agt_x, name: X, owner: O }]\n');
    const file = join(cwd, 'secrets.json');
    expect(await apply(file)).toEqual({
      code: 0,
      said: `create     agent agt_x\nsecrets    written to ${file}\n`,
    });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({
      agt_x: expect.stringMatching(/^[\w-]{43}$/),
    });
  }, 60_000);
});
