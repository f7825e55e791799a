// One broker in a process of its own. Argument: what of the configuration matters, as JSON.
import { createBroker } from '../../../src/broker/app.js';

const { issuer, port, databaseUrl, secret, more } = JSON.parse(process.argv[2] as string);
const broker = await createBroker(
  {
    issuer,
    host: '127.0.0.1',
    port,
    databaseUrl,
    dataDir: '/nonexistent',
    secret,
    previousSecret: undefined,
    adminToken: 'admin-token-for-tests-0123456789abcdef',
    production: false,
    logLevel: 'error',
    ...more,
  },
  { logTo: { write: (line) => void process.stderr.write(line) } },
);
await broker.listen();
process.on('disconnect', () => process.exit(0));
process.send?.({ ready: true });
