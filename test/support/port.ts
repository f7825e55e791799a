// A port nobody listens on, for a process that is started with it. Not from the range the system gives
// to outgoing connections (from 32768 on, on Linux): those of other tests come and go all the time, and
// would take it before it is listened on. Every process begins elsewhere and never gives one out twice.
import { createServer } from 'node:net';

const FIRST = 12_000;
const COUNT = 20_000;
/** Process ids of one run are close together; their ports are not. */
const APART = 211;
let next = (process.pid * APART) % COUNT;

export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + next;
    next = (next + 1) % COUNT;
    if (await isFree(port)) return port;
  }
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
