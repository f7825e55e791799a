/**
 * A connection to a host that was checked: every address of the name is resolved once and judged, the
 * connection goes to one of these and nowhere else, and is looked at again when it stands. No agent
 * and no proxy is asked (S2), so nothing set in the process or its environment can lead elsewhere.
 */
import { Resolver } from 'node:dns/promises';
import { isIP, connect as netConnect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { type AddressCheck, isSameAddress } from './addresses.js';
import { isOutboundError, outboundError } from './errors.js';
import type { Target } from './target.js';

/** All addresses of a name, IPv4 and IPv6. @throws when one kind cannot be learnt */
export type Resolve = (name: string, signal: AbortSignal) => Promise<readonly string[]>;

/** Connects to an address that was checked. */
export type Dial = (address: string, port: number, signal: AbortSignal) => Promise<Socket>;

export interface ConnectDeps {
  readonly addresses: AddressCheck;
  readonly resolve: Resolve;
  readonly dial: Dial;
  /** Certificates trusted instead of the system's. */
  readonly ca: string | undefined;
}

/** Nobody has more; the first few are enough. */
const ADDRESSES_MAX = 32;
const ATTEMPTS_MAX = 3;
/** For one of several: the next may answer. */
const ATTEMPT_MS = 1000;

export async function connect(
  target: Target,
  deps: ConnectDeps,
  signal: AbortSignal,
): Promise<Socket> {
  const addresses = target.addresses ?? (await publicAddresses(target.host, deps, signal));
  let cause: unknown;
  for (const address of addresses.slice(0, ATTEMPTS_MAX)) {
    signal.throwIfAborted();
    try {
      const soon = AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT_MS)]);
      const socket = await deps.dial(address, target.port, soon);
      return target.tls ? await secured(socket, target, deps.ca, signal) : socket;
    } catch (error) {
      if (signal.aborted || isOutboundError(error)) throw error;
      cause = error;
    }
  }
  throw outboundError('connection', cause);
}

/** RFC 1918 rebinding, S1: one address that is not public is enough to go to none. */
async function publicAddresses(
  name: string,
  { resolve, addresses }: ConnectDeps,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const found = await resolve(name, signal).catch((cause) => {
    throw outboundError('name', cause);
  });
  if (found.length === 0 || found.length > ADDRESSES_MAX) throw outboundError('name');
  if (!found.every((address) => addresses.isPublic(address))) throw outboundError('address');
  return found;
}

/** By DNS alone: not by the hosts file, and not on threads that a slow server would keep from others. */
export const resolveByDns: Resolve = async (name, signal) => {
  const resolver = new Resolver({ timeout: 1000, tries: 2 });
  const cancel = () => resolver.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  const none = (error: { code?: string }): string[] => {
    if (error.code === 'ENODATA') return [];
    throw error;
  };
  try {
    const [v4, v6] = await Promise.all([
      resolver.resolve4(name).catch(none),
      resolver.resolve6(name).catch(none),
    ]);
    return [...v4, ...v6];
  } finally {
    signal.removeEventListener('abort', cancel);
  }
};

/** What stands is what was checked, or nothing is sent. */
export const createDial =
  (addresses: AddressCheck, allowLoopback: boolean): Dial =>
  async (address, port, signal) => {
    const socket = netConnect({ host: address, port, autoSelectFamily: false });
    await settled(socket, 'connect', signal);
    const { remoteAddress = '' } = socket;
    const isOwn = allowLoopback && (remoteAddress === '127.0.0.1' || remoteAddress === '::1');
    if (!isSameAddress(remoteAddress, address) || !(isOwn || addresses.isPublic(remoteAddress))) {
      socket.destroy();
      throw outboundError('address');
    }
    return socket;
  };

/** The certificate must be the name's, whatever the environment says of certificates. */
async function secured(
  socket: Socket,
  { host }: Target,
  ca: string | undefined,
  signal: AbortSignal,
): Promise<Socket> {
  const tls = tlsConnect({
    socket,
    host,
    ...(isIP(host) === 0 && { servername: host }),
    ...(ca !== undefined && { ca }),
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
  });
  await settled(tls, 'secureConnect', signal);
  return tls;
}

/** Waits until a socket is ready; one that is not is gone. */
async function settled(socket: Socket, ready: string, signal: AbortSignal): Promise<void> {
  const abort = () => socket.destroy(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      socket.once(ready, resolve);
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('closed')));
    });
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
