/** Stream negotiation: features are negotiated one by one, in a fixed order, until stanzas can flow (RFC 6120 §4.3). */
import { NegotiationError, type SaslError } from '../errors.js';
import type { Jid } from '../jid/jid.js';
import type { Mechanism } from '../sasl/mechanism.js';
import type { Element } from '../xml/element.js';
import type { Authenticator } from './authenticator.js';
import type { XmlStream } from './xml-stream.js';

/** The state of a negotiation. */
export interface Negotiation {
  readonly stream: XmlStream;
  /** The account, bare. */
  readonly account: Jid;
  /** The configured resource: a request to the server, and with Bind 2 only a prefix. */
  readonly resource: string | undefined;
  readonly authenticator: Authenticator;
  /** All features of this client, for those that negotiate others inline (`StreamFeature.inline`). */
  readonly features: readonly StreamFeature[];
  readonly signal: AbortSignal;
  /** The `<stream:features/>` that the server sent last. */
  offers?: Element;
  /** The name of the mechanism, set by the feature that authenticated us. */
  authenticated?: string;
  /** The authorized JID, if the SASL profile reports it (XEP-0388): bare, or full if a resource was bound with it. */
  authorized?: Jid;
  /** Set by the feature that bound a resource (or resumed a session). */
  jid?: Jid;
  /** Set by a feature that resumed an earlier session. */
  resumed?: boolean;
}

/** What follows a feature. */
export type Next =
  /** We restart the stream (RFC 6120 §4.3.3). */
  | 'restart'
  /** The server sends new features without a restart (XEP-0388 §2.6.1). */
  | 'new-features'
  /** We continue with the other features on offer. */
  | 'done';

/** A feature that a stream can negotiate: STARTTLS, SASL, bind, and every extension of the stream. */
export interface StreamFeature {
  readonly name: string;
  /** Lower comes first. STARTTLS 100, SASL 200, bind 300, the session of RFC 3921 310. */
  readonly order: number;
  /**
   * Finds the offer to accept in the server's `<stream:features/>`; `undefined` if there is nothing to do.
   * @throws NegotiationError when this feature is mandatory and missing
   */
  offered(features: Element, negotiation: Negotiation): Element | undefined;
  /** Accepts the offer. */
  negotiate(offer: Element, negotiation: Negotiation): Promise<Next>;
  /** How to negotiate the feature inline with authentication or binding, if the server supports that. */
  readonly inline?: readonly InlinePart[];
}

/** A way to negotiate a feature as part of another one. */
export interface InlinePart {
  /** `authentication`: in the `<authenticate/>` of XEP-0388. `bind`: in the `<bind/>` of XEP-0386. */
  readonly within: 'authentication' | 'bind';
  /**
   * Returns what to add to the request, if anything. It may be called more than once in a negotiation.
   * @param offer the `<inline/>` that the server offers there
   */
  offered(offer: Element, negotiation: Negotiation): InlineRequest | undefined | Promise<InlineRequest | undefined>;
}

/** What one feature adds to the request of another. */
export interface InlineRequest {
  /** The child to add to the request. */
  readonly element: Element;
  /**
   * Called with the validated response to the whole request: the `<success/>` of XEP-0388 or the `<bound/>` of XEP-0386. Features are
   * called in their order, so that resumption comes before binding.
   * @throws NegotiationError when the response violates the protocol
   */
  answered(answer: Element): void | Promise<void>;
  /** Only within `authentication`: preferred to the account's password. */
  readonly credential?: Credential;
}

/** An alternative to the account's password. */
export interface Credential {
  readonly mechanism: Mechanism;
  /** The server rejected it, or failed to prove that it knows it too: it must not be used again. */
  failed(error: SaslError): Promise<void>;
}

/**
 * Opens the stream and negotiates until no feature is left.
 * @returns the bound full JID
 * @throws NegotiationError or a subclass, StreamError
 */
export async function negotiate(negotiation: Negotiation): Promise<Jid> {
  const { stream, signal } = negotiation;
  const ordered = inOrder(negotiation.features);
  let offers = (negotiation.offers = await stream.open(signal));
  const done = new Set<StreamFeature>();
  for (;;) {
    const next = nextFeature(ordered, done, offers, negotiation);
    if (next === undefined) break;
    const outcome = await next.feature.negotiate(next.offer, negotiation);
    // A resumed session is complete: stanzas flow at once (XEP-0198 §5, §8.2).
    if (negotiation.resumed === true) break;
    if (outcome === 'done') {
      done.add(next.feature);
    } else {
      offers = negotiation.offers = await (outcome === 'restart' ? stream.open(signal) : stream.newFeatures(signal));
      done.clear();
    }
  }
  if (negotiation.jid === undefined) throw new NegotiationError(`${stream.peer} offers no way to bind a resource`);
  return negotiation.jid;
}

/**
 * The inline requests of all features of the client, in their order.
 * @param offer the server's `<inline/>`; without it there are none
 */
export async function inlineRequests(
  within: InlinePart['within'],
  offer: Element | undefined,
  negotiation: Negotiation,
): Promise<readonly InlineRequest[]> {
  if (offer === undefined) return [];
  const requests: InlineRequest[] = [];
  for (const part of inOrder(negotiation.features).flatMap(({ inline = [] }) => inline)) {
    const request = part.within === within ? await part.offered(offer, negotiation) : undefined;
    if (request !== undefined) requests.push(request);
  }
  return requests;
}

/** Creates a feature that is only negotiated inline. `order` decides when its parts are called. */
export function inlineOnly(name: string, order: number, ...inline: readonly InlinePart[]): StreamFeature {
  return { name, order, inline, offered: () => undefined, negotiate: async () => 'done' };
}

function inOrder(features: readonly StreamFeature[]): readonly StreamFeature[] {
  return features.toSorted((a, b) => a.order - b.order);
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
