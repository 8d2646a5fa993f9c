/** How a stream comes to the point where stanzas flow: features are negotiated one by one in a stated order (RFC 6120 §4.3). */
import { NegotiationError } from '../errors.js';
import type { Jid } from '../jid/jid.js';
import type { Element } from '../xml/element.js';
import type { XmlStream } from './xml-stream.js';

/** What is known so far of the session that is negotiated. */
export interface Negotiation {
  readonly stream: XmlStream;
  /** The account, bare. */
  readonly account: Jid;
  readonly signal: AbortSignal;
  /** The `<stream:features/>` that the server sent last. */
  offers?: Element;
  /** Set by the feature that authenticated us, to the name of the mechanism. */
  authenticated?: string;
  /** Set by the feature that bound a resource (or resumed a session). */
  jid?: Jid;
  /** Set by a feature that took an earlier session up again. */
  resumed?: boolean;
}

/** One thing that a stream can negotiate. StartTLS, SASL and bind are of this form, and so is every extension of the stream. */
export interface StreamFeature {
  readonly name: string;
  /** Its place: lower comes first. StartTLS 100, SASL 200, bind 300. */
  readonly order: number;
  /**
   * The offer to take up, out of the server's `<stream:features/>`, or `undefined` when there is nothing to do.
   * @throws NegotiationError when this feature has to be there and is not
   */
  offered(features: Element, negotiation: Negotiation): Element | undefined;
  /** Takes the offer up. `restart` opens the stream anew (RFC 6120 §4.3.3); `done` goes on with what else was offered. */
  negotiate(offer: Element, negotiation: Negotiation): Promise<'restart' | 'done'>;
}

/**
 * Opens the stream and negotiates until nothing is left to do.
 * @returns the bound full JID
 * @throws NegotiationError and its kinds, StreamError
 */
export async function negotiate(features: readonly StreamFeature[], negotiation: Negotiation): Promise<Jid> {
  const { stream, signal } = negotiation;
  const ordered = [...features].sort((a, b) => a.order - b.order);
  let offers = (negotiation.offers = await stream.open(signal));
  const done = new Set<StreamFeature>();
  for (;;) {
    const next = nextFeature(ordered, done, offers, negotiation);
    if (next === undefined) break;
    if ((await next.feature.negotiate(next.offer, negotiation)) === 'restart') {
      offers = negotiation.offers = await stream.open(signal);
      done.clear();
    } else {
      done.add(next.feature);
    }
  }
  if (negotiation.jid === undefined) throw new NegotiationError(`${stream.peer} offers no way to bind a resource`);
  return negotiation.jid;
}

function nextFeature(
  ordered: readonly StreamFeature[],
  done: ReadonlySet<StreamFeature>,
  offers: Element,
  negotiation: Negotiation,
): { feature: StreamFeature; offer: Element } | undefined {
  for (const feature of ordered) {
    if (done.has(feature)) continue;
    const offer = feature.offered(offers, negotiation);
    if (offer !== undefined) return { feature, offer };
  }
  return undefined;
}
