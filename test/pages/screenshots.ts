// Every page and state as a picture, for eyes: `npm run screenshots -- <folder>`.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Browser, launchBrowser } from '../support/browser.js';
import { PAGES, startSite } from './site.js';

const COLOR_SCHEMES = ['light', 'dark'] as const;
const WIDTHS = [320, 1280] as const;
const HEIGHT = 800;

interface Look {
  readonly colorScheme: (typeof COLOR_SCHEMES)[number];
  readonly width: (typeof WIDTHS)[number];
}

const LOOKS: readonly Look[] = COLOR_SCHEMES.flatMap((colorScheme) =>
  WIDTHS.map((width) => ({ colorScheme, width })),
);

/** Where English pages have no folder of their own, pictures do: both languages lie side by side. */
const fileOf = (name: string, { colorScheme, width }: Look, state: string): string =>
  `${name.includes('/') ? name : `en/${name}`}.${colorScheme}-${width}${state}.png`;

/** As it opens; and, where something folds out, with everything folded out. */
async function picture(
  browser: Browser,
  options: { readonly origin: string; readonly folder: string; readonly look: Look },
): Promise<number> {
  const { origin, folder, look } = options;
  const viewport = { width: look.width, height: HEIGHT };
  const context = await browser.newContext({ colorScheme: look.colorScheme, viewport });
  const page = await context.newPage();
  let count = 0;
  const keep = async (name: string, state: string): Promise<void> => {
    const path = join(folder, fileOf(name, look, state));
    await mkdir(dirname(path), { recursive: true });
    await page.screenshot({ path, fullPage: true, animations: 'disabled' });
    count += 1;
  };
  for (const name of Object.keys(PAGES)) {
    await page.goto(`${origin}/${name}`);
    await keep(name, '');
    const summaries = await page.locator('summary').all();
    for (const summary of summaries) await summary.click();
    if (summaries.length > 0) await keep(name, '-open');
  }
  await context.close();
  return count;
}

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write('Say where the pictures go: npm run screenshots -- <folder>\n');
  process.exitCode = 2;
} else {
  const dir = await mkdtemp(join(tmpdir(), 'behalf-screenshots-'));
  const [browser, site] = await Promise.all([launchBrowser({ dir }), startSite()]);
  try {
    let count = 0;
    for (const look of LOOKS) {
      count += await picture(browser, { origin: site.origin, folder, look });
    }
    process.stdout.write(`${count} pictures in ${folder}\n`);
  } finally {
    await browser.close();
    await site.close();
    await rm(dir, { recursive: true, force: true });
  }
}
