/**
 * Where a URL leads: a name and a port of a public host. Judged as the URL standard reads it, so
 * that `0x7f.1` and `2130706433` are 127.0.0.1 here too. Pure.
 */
import { isIP } from 'node:net';
import type { AddressCheck } from './addresses.js';
import { outboundError } from './errors.js';

export interface Target {
  readonly tls: boolean;
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
  /** What is sent as `Host`. */
  readonly authority: string;
  readonly path: string;
  /** Known without asking anybody. */
  readonly addresses: readonly string[] | undefined;
}

export interface TargetRules {
  readonly addresses: AddressCheck;
  readonly allowLoopback: boolean;
}

const LOOPBACK: Readonly<Record<string, readonly string[]>> = {
  localhost: ['127.0.0.1', '::1'],
  '127.0.0.1': ['127.0.0.1'],
  '::1': ['::1'],
};

const PORTS: Readonly<Record<string, number>> = { 'https:': 443, 'http:': 80 };

/** @throws OutboundError when it may not be fetched, whatever a resolver says */
export function targetOf(text: string, { addresses, allowLoopback }: TargetRules): Target {
  const url = URL.parse(text);
  const port = PORTS[url?.protocol ?? ''];
  if (url === null || port === undefined) throw outboundError('url');
  if (url.username !== '' || url.password !== '' || text.includes('#')) throw outboundError('url');
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const target = {
    tls: url.protocol === 'https:',
    host,
    port: url.port === '' ? port : Number(url.port),
    authority: url.host,
    path: `${url.pathname}${url.search}`,
  };
  const own = allowLoopback && Object.hasOwn(LOOPBACK, host) ? LOOPBACK[host] : undefined;
  if (own !== undefined) return { ...target, addresses: own };
  if (!target.tls) throw outboundError('url');
  if (isIP(host) !== 0) {
    if (!addresses.isPublic(host)) throw outboundError('address');
    return { ...target, addresses: [host] };
  }
  // One label is a neighbour's name, or `localhost`; a final dot is a second spelling.
  if (!host.includes('.') || host.endsWith('.')) throw outboundError('url');
  return { ...target, addresses: undefined };
}
