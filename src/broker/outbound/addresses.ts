/**
 * Which addresses may be reached at all: public ones. The lists are IANA's registries of special-purpose
 * addresses (RFC 6890), and what carries another address inside it. Pure.
 */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

type Subnet = readonly [net: string, prefix: number];

const SPECIAL_V4: readonly Subnet[] = [
  ['0.0.0.0', 8], // this network
  ['10.0.0.0', 8], // private
  ['100.64.0.0', 10], // shared with a carrier
  ['127.0.0.0', 8], // loopback
  ['168.63.129.16', 32], // in no registry: a cloud's host, seen by its guests only
  ['169.254.0.0', 16], // link-local: metadata services
  ['172.16.0.0', 12], // private
  ['192.0.0.0', 24], // protocol assignments
  ['192.0.2.0', 24], // documentation
  ['192.31.196.0', 24], // AS112
  ['192.52.193.0', 24], // AMT
  ['192.88.99.0', 24], // 6to4 relays
  ['192.168.0.0', 16], // private
  ['192.175.48.0', 24], // AS112
  ['198.18.0.0', 15], // benchmarking
  ['198.51.100.0', 24], // documentation
  ['203.0.113.0', 24], // documentation
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4], // reserved, broadcast
];

/**
 * All there is: mapped and compatible addresses, NAT64, unique and link-local, multicast and the rest of
 * the registry lie outside it.
 */
const GLOBAL_UNICAST_V6: Subnet = ['2000::', 3];

const SPECIAL_V6: readonly Subnet[] = [
  ['2001::', 23], // protocol assignments: Teredo, benchmarking, AMT, ORCHID, drones
  ['2001:db8::', 32], // documentation
  ['2002::', 16], // 6to4: an IPv4 address inside
  ['2620:4f:8000::', 48], // AS112
  ['3ffe::', 16], // the 6bone's, given back
  ['3fff::', 20], // documentation
];

export interface AddressCheck {
  /** Whether it is an address on the public internet; what is no address at all is not. */
  isPublic(address: string): boolean;
}

export function createAddressCheck(): AddressCheck {
  const v4 = new BlockList();
  for (const [net, prefix] of SPECIAL_V4) v4.addSubnet(net, prefix, 'ipv4');
  const v6 = new BlockList();
  for (const [net, prefix] of SPECIAL_V6) v6.addSubnet(net, prefix, 'ipv6');
  const unicast = new BlockList();
  unicast.addSubnet(...GLOBAL_UNICAST_V6, 'ipv6');
  return {
    isPublic: (address) => {
      if (isIPv4(address)) return !v4.check(address, 'ipv4');
      // A zone names an interface of ours.
      if (!isIPv6(address) || address.includes('%')) return false;
      return unicast.check(address, 'ipv6') && !v6.check(address, 'ipv6');
    },
  };
}

/** Whether two spellings name one address. */
export const isSameAddress = (a: string, b: string): boolean => spelled(a) === spelled(b);

const spelled = (address: string): string =>
  isIP(address) === 6 && !address.includes('%')
    ? new URL(`http://[${address}]`).hostname.slice(1, -1)
    : address;
