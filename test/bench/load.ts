// Load over keep-alive connections, by hand: a loader that sleeps between answers, or shares the
// server's core, measures itself. It spins instead, and counts the server's CPU.
import { connect, type Socket } from 'node:net';
import type { Server } from './servers.js';

export interface LoadFigures {
  readonly perCpuSecond: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly responses: number;
}

export interface LoadOptions {
  readonly connections: number;
  readonly milliseconds: number;
  /** The bytes of one whole request; called for each. */
  next(): string;
}

/** A POST of a form to a path of the server, as one string. */
export function formRequest(
  path: string,
  authorization: string,
  fields: Readonly<Record<string, string>>,
  host: string,
): string {
  const body = new URLSearchParams(fields).toString();
  const head = [
    `POST ${path} HTTP/1.1`,
    `host: ${host}`,
    `authorization: ${authorization}`,
    'content-type: application/x-www-form-urlencoded',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}

/** Runs one request at a time on a socket; a status other than 200 ends the run. */
function lane(socket: Socket, next: () => string, onAnswer: (ms: number) => boolean) {
  return new Promise<void>((resolve, reject) => {
    let sentAt = 0;
    let text = '';
    const send = () => {
      sentAt = performance.now();
      socket.write(next());
    };
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('error', reject);
    socket.on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\r\n\r\n');
      if (end === -1) return;
      const length = Number(
        /\r\ncontent-length: (\d+)/i.exec(text.slice(0, end))?.[1] ?? Number.NaN,
      );
      if (text.length < end + 4 + length) return;
      if (!text.startsWith('HTTP/1.1 200')) return reject(new Error(`not 200: ${text}`));
      if (Number.isNaN(length)) return reject(new Error(`no length: ${text.slice(0, end)}`));
      text = '';
      if (onAnswer(performance.now() - sentAt)) send();
      else resolve();
    });
    send();
  });
}

/** Keeps the loader's event loop turning, so that an answer is seen the moment it is there. */
function spin(): () => void {
  let isOn = true;
  const turn = () => {
    if (isOn) setImmediate(turn);
  };
  turn();
  return () => {
    isOn = false;
  };
}

export async function load(
  servers: readonly Server[],
  { connections, milliseconds, next }: LoadOptions,
): Promise<LoadFigures> {
  const sockets = Array.from({ length: connections }, (_, n) => {
    const { hostname, port } = new URL((servers[n % servers.length] as Server).origin);
    return connect(Number(port), hostname);
  });
  await Promise.all(sockets.map((socket) => new Promise((done) => socket.once('connect', done))));
  const times: number[] = [];
  const cpu = () => servers.reduce((sum, server) => sum + server.cpuSeconds(), 0);
  const stopSpinning = spin();
  const [startedAt, cpuBefore] = [performance.now(), cpu()];
  const onAnswer = (ms: number) => {
    times.push(ms);
    return performance.now() - startedAt < milliseconds;
  };
  try {
    await Promise.all(sockets.map((socket) => lane(socket, next, onAnswer)));
  } finally {
    stopSpinning();
    for (const socket of sockets) socket.destroy();
  }
  const seconds = (performance.now() - startedAt) / 1000;
  times.sort((a, b) => a - b);
  const at = (share: number) =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return {
    perCpuSecond: times.length / Math.max(0.01, cpu() - cpuBefore),
    perSecond: times.length / seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    responses: times.length,
  };
}
