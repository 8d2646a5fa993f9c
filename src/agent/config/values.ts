/** Reads the texts of a configuration that mean something: addresses, URLs, media types. */
import { isIPv4, isIPv6 } from 'node:net';
import { Jid, JidError } from '../../xmpp-core/jid/jid.js';
import type { ServerAddress } from './config.js';
import { JidPattern } from './jid-pattern.js';
import { isMediaTypePattern } from './media-type.js';

/** A text does not mean what it should. The message goes after the setting's name, and does not quote the text. */
export class ValueError extends Error {
  override readonly name = 'ValueError';
  /** More about it, which may quote the text: only for what stands in the file, not for what came from the environment. */
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
  const jid = explained(() => Jid.parse(text));
  if (!jid.isBare) throw new ValueError(NOT_BARE);
  return jid;
}

const NOT_BARE = 'must be a bare JID: leave out the "/" and what follows it';

export function readJidPattern(text: string): JidPattern {
  if (text.includes('/')) throw new ValueError(NOT_BARE);
  return explained(() => JidPattern.parse(text));
}

/** As `readJidPattern`, for rooms, which have a localpart. */
export function readRoomPattern(text: string): JidPattern {
  if (!text.includes('@'))
    throw new ValueError('must be a room, such as "team@conference.example.com": there is no "@"');
  return readJidPattern(text);
}

/** A resource, or a nick, which is the resource of an occupant (XEP-0045 §7.2). */
export function readResource(text: string): string {
  return explained(() => Jid.of('', 'example.com', text).resource);
}

function explained<T>(read: () => T): T {
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

/** A host's name or address, without a port. */
export function readHost(text: string): string {
  const ipv6 = /^\[(.*)\]$/.exec(text)?.[1] ?? text;
  const host = isIPv6(ipv6) ? ipv6.toLowerCase() : readHostName(text);
  if (host === undefined) throw new ValueError('must be a host name or an IP address, without a port');
  return host;
}

/** In lower case and A-labels, as name servers are asked; `undefined` when it is neither a name nor an IPv4 address. */
function readHostName(text: string): string | undefined {
  if (isIPv4(text)) return text;
  if (!/^[\p{L}\p{N}\p{M}._-]+$/u.test(text) || !URL.canParse(`http://${text}`)) return undefined;
  const host = new URL(`http://${text}`).hostname;
  // A URL reads "1" and "0x7f.1" as IPv4 addresses.
  return isIPv4(host) ? undefined : host;
}

/** The URL of a WebSocket: encrypted, unless it stays on this machine. */
export function readWebSocketUrl(text: string): string {
  const url = readUrl(text);
  if (url?.protocol !== 'wss:' && !(url?.protocol === 'ws:' && isLoopback(url))) {
    throw new ValueError('must be a wss:// URL (ws:// only to this machine)');
  }
  return url.href;
}

/** The URL before `/chat/completions`, without a slash at its end. */
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

/** True when the URL's host is this machine. */
export function isLoopback(url: URL): boolean {
  return /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname);
}

export function readMediaType(text: string): string {
  const pattern = text.trim().toLowerCase();
  if (!isMediaTypePattern(pattern)) throw new ValueError('must be a media type, such as "video/*" or "image/svg+xml"');
  return pattern;
}

/** Agent Skills: up to 64 of a to z, digits and hyphens. */
export function readSkillName(text: string): string {
  if (!/^[a-z0-9-]{1,64}$/.test(text))
    throw new ValueError('must be a skill name: up to 64 lowercase letters, digits and hyphens');
  return text;
}
