// A process that migrates a database when it is told to.
import { migratePostgres } from '../../../src/broker/db/postgres.js';

const { url, searchPath } = JSON.parse(process.argv[2] as string);

process.once('message', async () => {
  try {
    await migratePostgres({ url, searchPath });
    process.send?.({ migrated: true });
  } catch (error) {
    process.send?.({ failed: String(error) });
  }
  process.disconnect();
});
process.send?.({ ready: true });
