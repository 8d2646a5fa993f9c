/**
 * XEP-0368 SRV records for XMPP over TLS, 1.1.0 (Stable). https://xmpp.org/extensions/xep-0368.html
 *
 * Finds where to connect: the configured server, or the SRV records of the domain (RFC 6120 §3.2, RFC 2782), with direct TLS or STARTTLS.
 *
 * Left out: server-to-server connections.
 */
import dns from 'node:dns/promises';
import { NegotiationError } from '../errors.js';
import { untilAborted } from '../deadline.js';
import { toAsciiDomain } from '../jid/domain.js';

/** An endpoint to try. */
export type Target = TcpTarget | WebSocketTarget;

/** A host and port for XMPP over TCP. */
export interface TcpTarget {
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
  readonly tls: 'direct' | 'starttls';
}

/** A URL for XMPP over WebSocket. */
export interface WebSocketTarget {
  /** `wss:`, or `ws:` to this machine. */
  readonly url: string;
}

/** The part of `node:dns` that is used; tests replace it. Without a record it rejects with an error that has a `code`. */
export interface SrvResolver {
  resolveSrv(name: string): Promise<readonly { name: string; port: number; priority: number; weight: number }[]>;
}

/** A server that overrides DNS: `host`, `host:port` or `[2001:db8::1]:port`. */
export interface ServerOverride {
  readonly host: string;
  readonly port?: number | undefined;
  /** TLS from the first byte, instead of StartTLS. */
  readonly directTls?: boolean | undefined;
}

const DEFAULT_PORT = { starttls: 5222, direct: 5223 } as const;
/** A zone with more records is broken or hostile. */
const MAX_TARGETS = 16;

/** For people: `xmpp.example.com:5222 (StartTLS)`, or the URL without its query, which may contain secrets. */
export function describeTarget(target: Target): string {
  if ('url' in target) return target.url.replace(/\?.*/s, '');
  const { host, port, tls } = target;
  return `${host.includes(':') ? `[${host}]` : host}:${port} (${tls === 'direct' ? 'direct TLS' : 'StartTLS'})`;
}

/**
 * Returns the targets of a domain in the order to try them.
 *
 * A failed or empty lookup gives the domain itself on port 5222 (RFC 6120 §3.2.2). Both services are mixed by priority and weight
 * (XEP-0368 §3).
 * @throws NegotiationError when the domain declares that it has no client service (the target `.`)
 */
export async function findTargets(
  domain: string,
  override: ServerOverride | undefined,
  resolver: SrvResolver = dns,
  signal: AbortSignal = new AbortController().signal,
): Promise<TcpTarget[]> {
  if (override !== undefined) {
    const tls = override.directTls === true ? 'direct' : 'starttls';
    return [{ host: override.host, port: override.port ?? DEFAULT_PORT[tls], tls }];
  }
  // DNS uses A-labels only (RFC 5890 §2.3.2.1).
  const name = toAsciiDomain(domain);
  const fallback: TcpTarget = { host: unbracketed(name), port: DEFAULT_PORT.starttls, tls: 'starttls' };
  if (isAddress(domain)) return [fallback];
  const [direct, starttls] = await untilAborted(
    signal,
    Promise.all([lookUp(resolver, `_xmpps-client._tcp.${name}`), lookUp(resolver, `_xmpp-client._tcp.${name}`)]),
  );
  const records = [
    ...direct.map((record) => ({ ...record, tls: 'direct' as const })),
    ...starttls.map((record) => ({ ...record, tls: 'starttls' as const })),
  ];
  const usable = records.filter(({ name }) => name !== '' && name !== '.');
  if (usable.length === 0) {
    // RFC 2782: a target of "." means that the service is not available at this domain. For either service, that rules out the
    // fallback (XEP-0368 §5).
    if (records.length > 0)
      throw new NegotiationError(`the DNS of ${domain} says that it offers no XMPP service to clients`);
    return [fallback];
  }
  return inOrder(usable)
    .slice(0, MAX_TARGETS)
    .map(({ name, port, tls }) => ({ host: name, port, tls }));
}

interface SrvRecord {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
}

async function lookUp(resolver: SrvResolver, name: string): Promise<readonly SrvRecord[]> {
  try {
    return await resolver.resolveSrv(name);
  } catch (error) {
    // No record or no response: the caller falls back to A and AAAA, whose error people see.
    if (error instanceof Error && 'code' in error) return [];
    throw error;
  }
}

/** Orders records by priority, and randomly by weight among equals (RFC 2782). */
function inOrder<T extends SrvRecord>(records: readonly T[]): T[] {
  const left = [...records].sort((a, b) => a.priority - b.priority || a.weight - b.weight);
  const ordered: T[] = [];
  while (left.length > 0) {
    const peers = left.filter(({ priority }) => priority === left[0]?.priority);
    const total = peers.reduce((sum, { weight }) => sum + weight, 0);
    let pick = Math.floor(Math.random() * (total + 1));
    const chosen = peers.find(({ weight }) => (pick -= weight) <= 0) ?? peers[0];
    if (chosen === undefined) break;
    ordered.push(chosen);
    left.splice(left.indexOf(chosen), 1);
  }
  return ordered;
}

/**
 * Validates the URL of a WebSocket.
 * @throws NegotiationError unless it is `wss:`, or `ws:` to this machine (RFC 7395 §3.9), without user and fragment
 */
export function webSocketTarget(text: string): WebSocketTarget {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isAllowed = url?.protocol === 'wss:' || (url?.protocol === 'ws:' && isThisMachine(url.hostname));
  if (url === undefined || !isAllowed || url.username !== '' || url.password !== '' || url.hash !== '') {
    throw new NegotiationError('a WebSocket URL must be wss:// without user and fragment (ws:// only to this machine)');
  }
  return { url: url.href };
}

/**
 * The target of a server's redirect (RFC 6120 §4.9.3.19, RFC 7395 §3.6.1): a host with the same kind of TLS as before, or another
 * WebSocket that is no less protected.
 * @returns `undefined` if the redirect is malformed or not allowed
 */
export function redirectedFrom(target: Target, seeOther: string): Target | undefined {
  if ('url' in target) {
    if (!URL.canParse(seeOther) || new URL(seeOther).protocol !== new URL(target.url).protocol) return undefined;
    try {
      return webSocketTarget(seeOther);
    } catch (error) {
      if (error instanceof NegotiationError) return undefined;
      throw error;
    }
  }
  const { host, port } = /^(?<host>\[[\dA-Fa-f:.]+\]|[^\s[\]:/@]+)(?::(?<port>\d{1,5}))?$/.exec(seeOther)?.groups ?? {};
  if (host === undefined || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535) return undefined;
  const { tls } = target;
  return { host: unbracketed(toAsciiDomain(host)), port: port === undefined ? DEFAULT_PORT[tls] : Number(port), tls };
}

/** Whether a name or address denotes this machine; the resolved address is checked again on connecting. */
function isThisMachine(hostname: string): boolean {
  return /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}

function isAddress(domain: string): boolean {
  return domain.startsWith('[') || /^\d{1,3}(\.\d{1,3}){3}$/.test(domain);
}

/** An IPv6 address without the brackets that it has in JIDs and URLs; anything else unchanged. */
export function unbracketed(domain: string): string {
  return domain.startsWith('[') ? domain.slice(1, -1) : domain;
}
