/**
 * XEP-0478 Stream Limits Advertisement, 0.2.0 (Experimental). https://xmpp.org/extensions/xep-0478.html
 *
 * Reads the server's limits, so that we never send what would end the stream.
 */
import { StanzaError } from '../errors.js';
import type { Element } from '../xml/element.js';

/** The namespace of the limits. */
export const NS_STREAM_LIMITS = 'urn:xmpp:stream-limits:0';

/** What a server announces; `undefined` for a limit that it does not announce. */
export interface StreamLimits {
  /** Bytes of UTF-8 of one top-level element, such as a stanza. */
  readonly maxBytes: number | undefined;
  /** After this many seconds without data from us, the server may close the stream. */
  readonly idleSeconds: number | undefined;
}

/** Reads the limits in a `<stream:features/>`; values that are not positive numbers are ignored. */
export function readStreamLimits(features: Element): StreamLimits {
  const limits = features.child('limits', NS_STREAM_LIMITS);
  return {
    maxBytes: positive(limits?.childText('max-bytes')),
    idleSeconds: positive(limits?.childText('idle-seconds')),
  };
}

/**
 * Rejects an element that is larger than the peer accepts (§4).
 * @param name the name of the element
 * @param text the element, serialized
 * @throws StanzaError `policy-violation`
 */
export function rejectOversized(name: string, text: string, maxBytes: number | undefined): void {
  // A UTF-16 unit is one to three bytes of UTF-8: most stanzas need no counting.
  if (maxBytes === undefined || text.length * 3 <= maxBytes) return;
  const bytes = new TextEncoder().encode(text).length;
  if (bytes > maxBytes) {
    throw StanzaError.of(
      'policy-violation',
      `the <${name}/> has ${bytes} bytes, and the server accepts at most ${maxBytes}`,
    );
  }
}

function positive(text: string | undefined): number | undefined {
  return text !== undefined && /^\s*[1-9]\d{0,14}\s*$/.test(text) ? Number(text) : undefined;
}
