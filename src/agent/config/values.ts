/** Parses the strings of a configuration: addresses, URLs, media types. Each function throws a `ValueError` for an invalid one. */
import { isIPv4, isIPv6 } from 'node:net';
import { Jid, JidError } from '../../xmpp-core/jid/jid.js';
import type { ServerAddress } from './config.js';
import { JidPattern } from './jid-pattern.js';
import { isMediaTypePattern } from './media-type.js';

/** A string is invalid. The message follows the setting's name and does not quote the string. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
  /** Details that may quote the string: only shown for values in the file, not for those from the environment. */
  readonly detail: string | undefined;

  constructor(message: string, options: { readonly detail?: string; readonly cause?: unknown } = {}) {
    super(message, options);
    this.detail = options.detail;
  }
}

/** The JID of an account: bare, with a localpart. */
export function readAccountJid(text: string): Jid {
  const jid = readBareJid(text);
  if (jid.localpart === '') throw new ValueError('must be an account, such as "bot@example.com"');
  return jid;
}

/** The JID of a room: bare, with a localpart. */
export function readRoomJid(text: string): Jid {
  const jid = readBareJid(text);
  if (jid.localpart === '')
    throw new ValueError('must be a room, such as "team@conference.example.com": there is no "@"');
  return jid;
}

function readBareJid(text: string): Jid {
  const jid = withValueError(() => Jid.parse(text));
  if (!jid.isBare) throw new ValueError(NOT_BARE);
  return jid;
}

const NOT_BARE = 'must be a bare JID: leave out the "/" and what follows it';

/** A pattern of an allowlist for senders. */
export function readJidPattern(text: string): JidPattern {
  if (text.includes('/')) throw new ValueError(NOT_BARE);
  return withValueError(() => JidPattern.parse(text));
}

/** Like `readJidPattern`, for rooms, which have a localpart. */
export function readRoomPattern(text: string): JidPattern {
  if (!text.includes('@'))
    throw new ValueError('must be a room, such as "team@conference.example.com": there is no "@"');
  return readJidPattern(text);
}

/** A resource or a nickname, which is the resource of an occupant JID (XEP-0045 §7.2). */
export function readResource(text: string): string {
  return withValueError(() => Jid.of('', 'example.com', text).resource);
}

function withValueError<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof JidError)) throw error;
    throw new ValueError('is not a JID', { detail: error.message.replace(/^not a JID: /, ''), cause: error });
  }
}

/** `host`, `host:port`, `[IPv6]` or `[IPv6]:port`. */
export function readServer(text: string): ServerAddress {
  const [, ipv6, name, digits] = /^(?:\[([^\]]*)\]|([^:]*))(?::([0-9]{1,5}))?$/.exec(text) ?? [];
  const host = ipv6 === undefined ? readHostName(name ?? '') : isIPv6(ipv6) ? ipv6.toLowerCase() : undefined;
  const port = digits === undefined ? undefined : Number(digits);
  if (host === undefined || port === 0 || (port ?? 0) > 65_535) {
    throw new ValueError(
      'must be a host or host:port, with an IPv6 address in brackets: "xmpp.example.com:5222", "[2001:db8::1]:5222"',
    );
  }
  return { host, port };
}

/** A host name or IP address, without a port. */
export function readHost(text: string): string {
  const ipv6 = /^\[(.*)\]$/.exec(text)?.[1] ?? text;
  const host = isIPv6(ipv6) ? ipv6.toLowerCase() : readHostName(text);
  if (host === undefined) throw new ValueError('must be a host name or an IP address, without a port');
  return host;
}

/** A host name in lower case and A-labels, as in DNS queries; `undefined` when it is neither a name nor an IPv4 address. */
function readHostName(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!/^[\p{L}\p{N}\p{M}._-]+$/u.test(text) || !URL.canParse(`http://${text}`)) return undefined;
  const host = new URL(`http://${text}`).hostname;
  // A URL reads "1" and "0x7f.1" as IPv4 addresses.
  return isIPv4(host) ? undefined : host;
}

/** A WebSocket URL: `wss:`, or `ws:` to this machine. */
export function readWebSocketUrl(text: string): string {
  const url = readUrl(text);
  if (url?.protocol !== 'wss:' && !(url?.protocol === 'ws:' && isLoopback(url))) {
    throw new ValueError('must be a wss:// URL (ws:// only to this machine)');
  }
  return url.href;
}

/** The base URL of a provider, before `/chat/completions`, without a trailing slash. */
export function readBaseUrl(text: string): string {
  const url = readUrl(text);
  if ((url?.protocol !== 'https:' && url?.protocol !== 'http:') || url.search !== '') {
    throw new ValueError('must be an http:// or https:// URL, such as "https://llm.example.com/v1"');
  }
  return url.href.replace(/\/+$/, '');
}

function readUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && (url.username !== '' || url.password !== ''))
    throw new ValueError('must be a URL without a user name and password');
  return url?.hash === '' ? url : undefined;
}

/** Whether the URL's host is this machine. */
export function isLoopback(url: URL): boolean {
  return /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
}

/** A pattern of `blocked_media_types`, in lower case. */
export function readMediaType(text: string): string {
  const pattern = text.trim().toLowerCase();
  if (!isMediaTypePattern(pattern)) throw new ValueError('must be a media type, such as "video/*" or "image/svg+xml"');
  return pattern;
}

/** A skill name (agentskills.io): up to 64 lower-case letters, digits and hyphens. */
export function readSkillName(text: string): string {
  if (!/^[a-z0-9-]{1,64}$/.test(text))
    throw new ValueError('must be a skill name: up to 64 lowercase letters, digits and hyphens');
  return text;
}
