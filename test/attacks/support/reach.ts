// What the process under attack can reach: the sites of a small web, and nothing else. Every connection
// to anything but these ends at a listener that counts, whichever address it was meant for.
import { connect, type Socket } from 'node:net';
import type { OutboundDeps } from '../../../src/broker/outbound/outbound.js';
import { PUBLIC_ADDRESS } from '../../support/web.js';

export interface Reach {
  readonly sites: readonly string[];
  readonly port: number;
  readonly ca: string;
  /** Where whoever should never be reached is. */
  readonly guarded: number;
  readonly trustedProxies: number;
}

/** `v4-0a000001.evil.example` means 10.0.0.1, and `v6-` and 32 digits an IPv6 address. */
export function hiddenAddress(name: string): string | undefined {
  const v4 = /^v4-([0-9a-f]{8})\./.exec(name)?.[1];
  if (v4 !== undefined) return [...Buffer.from(v4, 'hex')].join('.');
  return /^v6-([0-9a-f]{32})\./.exec(name)?.[1]?.replace(/(.{4})(?=.)/g, '$1:');
}

export function outboundInto(
  reach: Reach,
): Required<Pick<OutboundDeps, 'resolve' | 'dial' | 'ca'>> {
  let asked = 0;
  return {
    ca: reach.ca,
    resolve: async (name) => {
      if (reach.sites.includes(name)) return [PUBLIC_ADDRESS];
      // Public when it is looked at, and loopback when it is connected to.
      if (name === 'rebind.evil.example')
        return [(asked++ & 1) === 0 ? PUBLIC_ADDRESS : '127.0.0.1'];
      if (name === 'both.evil.example') return [PUBLIC_ADDRESS, '127.0.0.1'];
      const address = hiddenAddress(name);
      if (address === undefined) throw new Error('NXDOMAIN');
      return [address];
    },
    dial: (address) => reached(address === PUBLIC_ADDRESS ? reach.port : reach.guarded),
  };
}

const reached = (port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(socket)).once('error', reject);
  });
