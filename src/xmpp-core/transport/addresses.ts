/** Restricts which addresses a socket connects to. The check is on the address after the lookup, so that DNS rebinding cannot evade it. */
import dns from 'node:dns';
import net from 'node:net';
import { XmppError } from '../errors.js';

/** Thrown for a host whose addresses are all forbidden by the rule. */
export class AddressError extends XmppError {
  override readonly name = 'AddressError';

  constructor(host: string) {
    super(`${host} has no address that connections are allowed to`);
  }
}

/** Whether connecting to an IP address is allowed. */
export type AddressRule = (address: string) => boolean;

/**
 * How long one address of a host may take before `node:net` tries the next as well, in milliseconds. Its default of 250 is too short
 * for a distant server: an attempt is aborted when its time is over, unless it is the last.
 */
export const ATTEMPT_MS = 1_500;

/** The special IPv4 networks of the IANA registry (RFC 6890): everything that is not a single host on the public internet. */
const SPECIAL_IPV4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10], // carrier-grade NAT (RFC 6598)
  ['127.0.0.0', 8],
  ['169.254.0.0', 16], // link-local; cloud metadata services
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4], // multicast
  ['240.0.0.0', 4],
] as const;

/** The special networks inside 2000::/3, which is all public IPv6. */
const SPECIAL_IPV6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const;

const PUBLIC_IPV6 = ['2000::', 3] as const;

/** Whether the address is a single host on the public internet. IPv4-mapped IPv6 is not: no host needs that form. */
export function isPublicAddress(address: string): boolean {
  const family = net.isIP(address);
  if (family === 4) return !isIn(address, 'ipv4', SPECIAL_IPV4);
  return family === 6 && isIn(address, 'ipv6', [PUBLIC_IPV6]) && !isIn(address, 'ipv6', SPECIAL_IPV6);
}

/** Whether the address is a loopback address. */
export function isLoopbackAddress(address: string): boolean {
  return net.isIP(address) === 4 ? isIn(address, 'ipv4', [['127.0.0.0', 8]]) : isIn(address, 'ipv6', [['::1', 128]]);
}

/**
 * The options of `node:net`, `node:tls` and their users for connecting to a host under a rule.
 *
 * IPv4 and IPv6 addresses are tried in turn (RFC 8305), so that one which never answers does not delay the others.
 * @param host a name, or an address without brackets
 * @param rule allows every address by default
 * @throws AddressError for an address that the rule forbids; for a name, the socket emits it
 */
export function connectOptions(
  host: string,
  rule: AddressRule = () => true,
): Pick<net.TcpNetConnectOpts, 'lookup' | 'autoSelectFamily' | 'autoSelectFamilyAttemptTimeout'> {
  // Addresses are connected to without a lookup, so they are checked here.
  if (net.isIP(host) !== 0 && !rule(host)) throw new AddressError(host);
  return { autoSelectFamily: true, autoSelectFamilyAttemptTimeout: ATTEMPT_MS, lookup: guardedLookup(rule) };
}

function guardedLookup(rule: AddressRule): net.LookupFunction {
  return (host, options, callback) => {
    dns.lookup(host, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, []);
      const admitted = found.filter(({ address }) => rule(address));
      const [first] = admitted;
      if (first === undefined) callback(new AddressError(host), []);
      else if (options.all === true) callback(null, admitted);
      else callback(null, first.address, first.family);
    });
  };
}

function isIn(address: string, family: 'ipv4' | 'ipv6', nets: readonly (readonly [string, number])[]): boolean {
  const list = new net.BlockList();
  for (const [prefix, bits] of nets) list.addSubnet(prefix, bits, family);
  return list.check(address, family);
}
