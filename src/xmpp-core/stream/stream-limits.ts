/**
 * XEP-0478 Stream Limits Advertisement, 0.2.0 (Experimental). https://xmpp.org/extensions/xep-0478.html
 *
 * What the other side takes, so that nothing is sent that would end the stream.
 */
import { StanzaError } from '../errors.js';
import type { Element } from '../xml/element.js';

export const NS_STREAM_LIMITS = 'urn:xmpp:stream-limits:0';

/** What the server says that it takes (XEP-0478). */
export interface StreamLimits {
  /** Of one element at the first level, such as a stanza, as UTF-8. */
  readonly maxBytes: number | undefined;
  /** After so many seconds of silence on our side we may count as gone. */
  readonly idleSeconds: number | undefined;
}

/** The limits in a `<stream:features/>`; none that is no positive number counts. */
export function readStreamLimits(features: Element): StreamLimits {
  const limits = features.child('limits', NS_STREAM_LIMITS);
  return {
    maxBytes: positive(limits?.childText('max-bytes')),
    idleSeconds: positive(limits?.childText('idle-seconds')),
  };
}

/**
 * Refuses what the peer has said it would not take (§4).
 * @param text an element, serialized
 * @throws StanzaError `policy-violation`
 */
export function refuseOversized(name: string, text: string, maxBytes: number | undefined): void {
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
