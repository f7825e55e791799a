/** Where the generated SQL lives, beside the schema, in the source tree and in the build alike. */
import { fileURLToPath } from 'node:url';

export const MIGRATIONS_FOLDER = fileURLToPath(
  new URL('../../../schema/migrations', import.meta.url),
);

/** First half of the advisory lock under which migrations run; the second is the schema's hash. */
export const MIGRATION_LOCK = 0x6265_6d67;
