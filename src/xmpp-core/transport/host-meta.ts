/**
 * XEP-0156 Discovering Alternative XMPP Connection Methods, 1.4.0 (Stable). https://xmpp.org/extensions/xep-0156.html
 *
 * Discovers the WebSockets that a domain publishes on its web site (RFC 6415).
 *
 * Left out: BOSH.
 */
import { NegotiationError } from '../errors.js';
import { toAsciiDomain } from '../jid/domain.js';
import type { HttpRequest, HttpResponse } from './http.js';
import { webSocketTarget, type WebSocketTarget } from './targets.js';

const NS_XRD = 'http://docs.oasis-open.org/ns/xri/xrd-1.0';
const WEBSOCKET = 'urn:xmpp:alt-connections:websocket';
/** A document with more links is broken or hostile. */
const MAX_TARGETS = 8;

/** The limits of one request. A redirect over https is as trustworthy as the document itself. */
const LIMITS = { maxBytes: 64 * 1024, timeoutMs: 15_000, maxRedirects: 3 } as const;

/** A link of a host-meta document. */
interface Link {
  readonly rel: string;
  readonly href: string;
}

/** A domain must provide the XML form; JSON is optional (RFC 6415 §3). */
const FORMS: readonly { readonly path: string; readonly read: (body: string) => Link[] | Promise<Link[]> }[] = [
  { path: '/.well-known/host-meta', read: readXrd },
  { path: '/.well-known/host-meta.json', read: readJson },
];

/**
 * Finds the WebSockets of a domain, over https only, so that the domain's certificate vouches for the response (RFC 7395 §4).
 * @param domain the domainpart of the account
 * @param ask sends the HTTP request
 * @returns at least one, each with a `wss:` URL
 * @throws NegotiationError with each URL that was requested and how it failed
 */
export async function discoverWebSockets(
  domain: string,
  ask: (request: HttpRequest) => Promise<HttpResponse>,
): Promise<WebSocketTarget[]> {
  const failures: string[] = [];
  for (const { path, read } of FORMS) {
    const url = `https://${toAsciiDomain(domain)}${path}`;
    try {
      const { status, body } = await ask({ method: 'GET', url, ...LIMITS });
      if (status !== 200) throw new Error(`HTTP ${status}`);
      const targets = webSockets(await read(new TextDecoder('utf-8', { fatal: true }).decode(body)));
      if (targets.length > 0) return targets;
      throw new Error('it lists no wss: URL');
    } catch (error) {
      failures.push(`${url}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new NegotiationError(`${domain} announces no WebSocket endpoint; tried ${failures.join('; ')}`);
}

/** Only `wss:` counts: a document must not direct us to a local service. */
function webSockets(links: readonly Link[]): WebSocketTarget[] {
  const urls = new Set(links.filter(({ rel }) => rel === WEBSOCKET).map(({ href }) => href.trim()));
  const secure = [...urls].filter((href) => URL.canParse(href) && new URL(href).protocol === 'wss:');
  return secure.slice(0, MAX_TARGETS).map(webSocketTarget);
}

async function readXrd(text: string): Promise<Link[]> {
  // Loaded on demand: most clients never need it.
  const { SaxesParser } = await import('saxes');
  const links: Link[] = [];
  let depth = 0;
  const reject = (): never => {
    throw new Error('it is not a well-formed XRD document');
  };
  const parser = new SaxesParser({ xmlns: true });
  // By default the parser continues after errors and accepts document types.
  parser.on('error', reject);
  parser.on('doctype', reject);
  parser.on('processinginstruction', reject);
  parser.on('opentag', ({ local, uri, attributes }) => {
    depth++;
    if (depth === 1 && (local !== 'XRD' || uri !== NS_XRD)) reject();
    if (depth !== 2 || local !== 'Link' || uri !== NS_XRD) return;
    const rel = attributes['rel']?.value;
    const href = attributes['href']?.value;
    if (rel !== undefined && href !== undefined) links.push({ rel, href });
  });
  parser.on('closetag', () => {
    depth--;
  });
  parser.write(text).close();
  return links;
}

function readJson(text: string): Link[] {
  const document: unknown = JSON.parse(text);
  if (!isRecord(document) || !Array.isArray(document['links'])) throw new Error('it has no list of links');
  return document['links'].flatMap((link: unknown) => {
    if (!isRecord(link)) return [];
    const { rel, href } = link;
    return typeof rel === 'string' && typeof href === 'string' ? [{ rel, href }] : [];
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
