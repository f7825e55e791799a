// A real Chromium for the pages. On Linux x64 it comes from npm, with the shared libraries and
// fonts a bare Debian lacks; elsewhere an installed Chrome serves. It is unpacked once per run,
// by whichever file launches a browser first.
import { createReadStream, createWriteStream, existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { brotliDecompressSync, createBrotliDecompress } from 'node:zlib';
import { type Browser, chromium, type LaunchOptions } from 'playwright-core';

export type { Browser, BrowserContext, Page } from 'playwright-core';

export interface BrowserOptions {
  /** Where to unpack, or where it was unpacked before. Default: the run's folder. */
  readonly dir?: string;
  /** Further command line switches. */
  readonly args?: readonly string[];
}

/** Tests talk to 127.0.0.1 only, and so does the browser: nothing is fetched in the background. */
const QUIET = [
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-domain-reliability',
  '--disable-sync',
  '--no-first-run',
  '--no-pings',
  '--disable-gpu',
  '--disable-quic',
];
const UNPACK_TIMEOUT_MS = 60_000;

/** Launches a headless browser. One per file is enough; a context per test keeps tests apart. */
export async function launchBrowser(options: BrowserOptions = {}): Promise<Browser> {
  const args = [...QUIET, ...(options.args ?? [])];
  const launch = await executable(options);
  try {
    return await chromium.launch({ headless: true, ...launch, args: [...args, ...launch.args] });
  } catch (error) {
    throw new Error(
      `The browser tests need a Chromium that starts, and this one did not: ${String(error)}`,
    );
  }
}

type Launch = LaunchOptions & { readonly args: string[] };

async function executable(options: BrowserOptions): Promise<Launch> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return { channel: 'chrome', args: [] };
  }
  const dir = await unpackChromium(options.dir ?? (await providedDir()));
  // Chromium's own sandbox cannot be built by root or in most containers; the pages are ours.
  return {
    executablePath: join(dir, 'chromium'),
    chromiumSandbox: false,
    args: ['--no-zygote', '--disable-dev-shm-usage', '--font-render-hinting=none'],
    env: {
      PATH: process.env.PATH ?? '',
      HOME: dir,
      TMPDIR: dir,
      LD_LIBRARY_PATH: join(dir, 'lib'),
      FONTCONFIG_PATH: dir,
    },
  };
}

async function providedDir(): Promise<string> {
  const { inject } = await import('vitest');
  return inject('scratchDir');
}

/** Unpacks under `into`, once however many processes ask at the same time; returns the folder. */
export async function unpackChromium(into: string): Promise<string> {
  const done = join(into, 'chromium');
  const failed = join(into, 'chromium.failed');
  if (existsSync(done)) return done;
  try {
    // mkdir either makes the folder or fails: it is the lock.
    await mkdir(join(into, 'chromium.partial'));
  } catch {
    const deadline = Date.now() + UNPACK_TIMEOUT_MS;
    while (!existsSync(done)) {
      if (existsSync(failed)) throw new Error(readFileSync(failed, 'utf8'));
      if (Date.now() > deadline) throw new Error('Chromium was not unpacked within 60 s.');
      await sleep(50);
    }
    return done;
  }
  try {
    await unpack(packageBin(), join(into, 'chromium.partial'), done);
    await rename(join(into, 'chromium.partial'), done);
    return done;
  } catch (error) {
    await writeFile(failed, `Chromium could not be unpacked: ${String(error)}`);
    await rm(join(into, 'chromium.partial'), { recursive: true, force: true });
    throw error;
  }
}

function packageBin(): string {
  try {
    const entry = createRequire(import.meta.url).resolve('@sparticuz/chromium');
    for (let dir = dirname(entry); dir !== dirname(dir); dir = dirname(dir)) {
      if (existsSync(join(dir, 'bin', 'chromium.br'))) return join(dir, 'bin');
    }
  } catch {
    // Said below, with the remedy.
  }
  throw new Error(
    'The browser tests need Chromium and the package @sparticuz/chromium is not installed: run `npm ci`.',
  );
}

/** `home` is where the folder will stand once it is complete: fontconfig wants absolute paths. */
async function unpack(bin: string, partial: string, home: string): Promise<void> {
  const binary = join(partial, 'chromium');
  const archives = ['al2023.tar.br', 'fonts.tar.br'].map(async (name) => {
    await untar(brotliDecompressSync(readFileSync(join(bin, name))), partial);
  });
  await Promise.all([
    ...archives,
    pipeline(
      createReadStream(join(bin, 'chromium.br')),
      createBrotliDecompress({ chunkSize: 1 << 21 }),
      createWriteStream(binary, { mode: 0o755 }),
    ),
  ]);
  await chmod(binary, 0o755);
  const fonts = `<dir>${home}/fonts</dir><cachedir>${home}/fonts-cache</cachedir>`;
  await writeFile(
    join(partial, 'fonts.conf'),
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>${fonts}</fontconfig>`,
  );
}

/** The part of ustar these archives use: files, folders, links; names under 100 bytes. */
async function untar(archive: Buffer, into: string): Promise<void> {
  const text = (from: number, length: number) =>
    archive.toString('utf8', from, from + length).replace(/\0[\s\S]*$/, '');
  let size = 0;
  for (let at = 0; at + 512 <= archive.length; at += 512 + Math.ceil(size / 512) * 512) {
    const name = text(at, 100);
    if (name === '') return;
    size = Number.parseInt(text(at + 124, 12), 8) || 0;
    const target = resolve(into, name);
    if (!target.startsWith(into + sep)) throw new Error(`An archive names a path outside: ${name}`);
    const type = text(at + 156, 1);
    if (type === '5') {
      await mkdir(target, { recursive: true });
      continue;
    }
    await mkdir(dirname(target), { recursive: true });
    if (type === '2') await symlink(text(at + 157, 100), target);
    else await writeFile(target, archive.subarray(at + 512, at + 512 + size), { mode: 0o755 });
  }
}
