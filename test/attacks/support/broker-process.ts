// The broker under attack, in a process of its own: what it prints and answers is all an attacker,
// or an operator's log, ever sees of it. Argument: what of the configuration matters, as JSON.

const realNow = Date.now;
let offsetMs = 0;
// Before anything else is loaded, so that the engine's clock is this one too.
Date.now = () => realNow() + offsetMs;

const { createBroker } = await import('../../../src/broker/app.js');
const { issuer, port, databaseUrl, secret, adminToken, web } = JSON.parse(
  process.argv[2] as string,
);
const { outboundInto } = await import('./reach.js');
const config = {
  issuer,
  host: '127.0.0.1',
  port,
  databaseUrl,
  dataDir: '/nonexistent',
  secret,
  previousSecret: undefined,
  adminToken,
  // Where nothing on loopback is ever fetched.
  production: true,
  // Each case may come from elsewhere: strangers are counted by network.
  trustedProxies: web.trustedProxies,
  // The oracle asks for the event of every refusal.
  refusalsPerMinute: 100_000,
  // Everything it could ever say: nothing secret may be in it.
  logLevel: 'debug',
} as const;
const broker = await createBroker(config, { outbound: outboundInto(web) });
await broker.listen();
process.on('message', (message: { clockMs: number }) => {
  offsetMs = message.clockMs;
  process.send?.({ clockMs: offsetMs });
});
process.on('disconnect', () => process.exit(0));
process.send?.({ ready: true });

export {};
