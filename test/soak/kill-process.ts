// A broker that is to be killed. It loads everything, says so, and waits: only one at a time may open a
// data directory, and the next one need not begin to load when the one before is dead. Argument: what
// of the configuration matters, as JSON.
import { createBroker } from '../../src/broker/app.js';

const { more, ...config } = JSON.parse(process.argv[2] as string);
process.on('disconnect', () => process.exit(0));
process.once('message', async () => {
  const broker = await createBroker(
    {
      host: '127.0.0.1',
      dataDir: '/nonexistent',
      previousSecret: undefined,
      production: false,
      logLevel: 'error',
      ...config,
      ...more,
    },
    { logTo: { write: (line) => void process.stderr.write(line) } },
  );
  await broker.listen();
  process.send?.({ ready: true });
});
process.send?.({ loaded: true });
