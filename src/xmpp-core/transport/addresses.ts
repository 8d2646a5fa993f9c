/** Which addresses a socket may be opened to. Judged is the address itself, after the look-up: between the two no name can change. */
import dns from 'node:dns';
import net from 'node:net';
import { XmppError } from '../errors.js';

/** A host has only addresses that may not be connected to. */
export class AddressError extends XmppError {
  override readonly name = 'AddressError';

  constructor(host: string) {
    super(`${host} has no address that connections are allowed to`);
  }
}

/** Says whether an IP address may be connected to. */
export type AddressRule = (address: string) => boolean;

/**
 * How long one address of a host may take before `node:net` tries the next as well, in milliseconds. Its own 250 are too few for a
 * distant server: an attempt is given up when its time is over, unless it is the last.
 */
export const ATTEMPT_MS = 1_500;

/** What the registries of special addresses (RFC 6890) hold of IPv4: whatever is not one machine on the public internet. */
const SPECIAL_IPV4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10], // carrier-grade NAT (RFC 6598)
  ['127.0.0.0', 8],
  ['169.254.0.0', 16], // link-local, and where clouds keep their credentials
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

/** The same of what lies inside 2000::/3, which is all of IPv6 that is public; the second and third carry IPv4 addresses. */
const SPECIAL_IPV6 = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const;

const PUBLIC_IPV6 = ['2000::', 3] as const;

/** Whether it is one machine on the public internet. IPv4 written as IPv6 is not: a host has no need to hide it so. */
export function isPublicAddress(address: string): boolean {
  const family = net.isIP(address);
  if (family === 4) return !isIn(address, 'ipv4', SPECIAL_IPV4);
  return family === 6 && isIn(address, 'ipv6', [PUBLIC_IPV6]) && !isIn(address, 'ipv6', SPECIAL_IPV6);
}

/** Whether it is this machine. */
export function isLoopbackAddress(address: string): boolean {
  return net.isIP(address) === 4 ? isIn(address, 'ipv4', [['127.0.0.0', 8]]) : isIn(address, 'ipv6', [['::1', 128]]);
}

/**
 * The options of `node:net`, `node:tls` and what stands on them for connecting to a host by a rule.
 *
 * IPv4 and IPv6 addresses are tried in turn (RFC 8305), so that one which never answers does not hold the others up.
 * @param host a name, or an address without brackets
 * @throws AddressError for an address that the rule refuses; for a name it comes from the socket
 */
export function connectingTo(
  host: string,
  rule: AddressRule = () => true,
): Pick<net.TcpNetConnectOpts, 'lookup' | 'autoSelectFamily' | 'autoSelectFamilyAttemptTimeout'> {
  // An address is connected to without a look-up.
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
