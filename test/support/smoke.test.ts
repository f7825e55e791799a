// The ground holds: a real PostgreSQL answers, and a real browser renders.
import { expect, it } from 'vitest';
import { launchBrowser } from './browser.js';
import { createTestDatabase } from './postgres.js';
import { connect } from './postgres-server.js';

it('starts a real PostgreSQL 18 and gives a database of its own', async () => {
  const database = await createTestDatabase({ template: null });
  const sql = connect(database.url);
  try {
    const [row] = await sql`
      select version(), current_database() as name, current_setting('synchronous_commit') as durable`;
    expect(row?.version).toMatch(/^PostgreSQL 18\./);
    expect(row).toMatchObject({ name: database.name, durable: 'on' });
  } finally {
    await sql.end();
    await database.drop();
  }
});

it('prepares a template once, however many ask for it at the same time', async () => {
  let prepared = 0;
  const template = {
    key: 'smoke',
    prepare: async (url: string) => {
      prepared += 1;
      const sql = connect(url);
      await sql`create table seen (id int)`;
      await sql.end();
    },
  };
  const databases = await Promise.all([1, 2, 3].map(() => createTestDatabase({ template })));
  expect(prepared).toBe(1);
  for (const database of databases) {
    const sql = connect(database.url);
    expect(await sql`select count(*)::int as rows from seen`).toEqual([{ rows: 0 }]);
    await sql.end();
    await database.drop();
  }
});

it('launches a real Chromium that renders and runs scripts', async () => {
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage();
    await page.goto('data:text/html,<h1>ground</h1><script>document.title = 6 * 7</script>');
    expect(await page.textContent('h1')).toBe('ground');
    expect(await page.title()).toBe('42');
    expect((await page.locator('h1').boundingBox())?.height).toBeGreaterThan(10);
  } finally {
    await browser.close();
  }
});
