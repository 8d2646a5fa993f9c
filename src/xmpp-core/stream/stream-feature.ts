/** How a stream comes to the point where stanzas flow: features are negotiated one by one in a stated order (RFC 6120 §4.3). */
import { NegotiationError, type SaslError } from '../errors.js';
import type { Jid } from '../jid/jid.js';
import type { Mechanism } from '../sasl/mechanism.js';
import type { Element } from '../xml/element.js';
import type { Authenticator } from './authenticator.js';
import type { XmlStream } from './xml-stream.js';

/** What is known so far of the session that is negotiated. */
export interface Negotiation {
  readonly stream: XmlStream;
  /** The account, bare. */
  readonly account: Jid;
  /** The resource that was configured: a wish, and with Bind2 only a beginning. */
  readonly resource: string | undefined;
  /** Proves who we are by what the account has; nobody else knows the password. */
  readonly authenticator: Authenticator;
  /** All that this client can negotiate. Who negotiates other features inline (`StreamFeature.inline`) finds them here. */
  readonly features: readonly StreamFeature[];
  readonly signal: AbortSignal;
  /** The `<stream:features/>` that the server sent last. */
  offers?: Element;
  /** Set by the feature that authenticated us, to the name of the mechanism. */
  authenticated?: string;
  /** As whom the server let us in, where its profile of SASL says so: bare, or full when a resource came with it (XEP-0388). */
  authorized?: Jid;
  /** Set by the feature that bound a resource (or resumed a session). */
  jid?: Jid;
  /** Set by a feature that took an earlier session up again. */
  resumed?: boolean;
}

/** What comes after a feature. */
export type Next =
  /** We open the stream anew (RFC 6120 §4.3.3). */
  | 'restart'
  /** The server sends new features without that (XEP-0388 §2.6.1). */
  | 'new-features'
  /** We go on with what else was offered. */
  | 'done';

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
  /** Takes the offer up. */
  negotiate(offer: Element, negotiation: Negotiation): Promise<Next>;
  /** How the same is had in the same breath with the authentication or the binding, where the server can do that. */
  readonly inline?: readonly InlinePart[];
}

/** One way to negotiate a feature as a part of another one. */
export interface InlinePart {
  /** `authentication`: in the `<authenticate/>` of XEP-0388. `bind`: in the `<bind/>` of XEP-0386. */
  readonly within: 'authentication' | 'bind';
  /**
   * What to add to the request, or `undefined` when there is nothing to ask. It may be asked more than once in a negotiation.
   * @param offer the `<inline/>` that the server offers there
   */
  offered(offer: Element, negotiation: Negotiation): InlineRequest | undefined | Promise<InlineRequest | undefined>;
}

/** What one feature adds to the request of another. */
export interface InlineRequest {
  /** Goes into the request. */
  readonly element: Element;
  /**
   * Is given the answer to the whole, once it was found good: the `<success/>` of XEP-0388, or the `<bound/>` of XEP-0386. Features
   * are called in their order, so that what resumes a session comes before what binds a new one.
   * @throws NegotiationError when the answer breaks the rules
   */
  answered(answer: Element): void | Promise<void>;
  /** Only within `authentication`: goes before the account's password. */
  readonly credential?: Credential;
}

/** Another way to prove who we are than by the account's password. */
export interface Credential {
  readonly mechanism: Mechanism;
  /** The server would not have it, or did not prove that it knows it too: it is of no more use. */
  failed(error: SaslError): Promise<void>;
}

/**
 * Opens the stream and negotiates until nothing is left to do.
 * @returns the bound full JID
 * @throws NegotiationError and its kinds, StreamError
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
    // A session that was taken up is as it was, and stanzas flow at once (XEP-0198 §5, §8.2).
    if (negotiation.resumed === true) break;
    if (outcome === 'done') {
      done.add(next.feature);
    } else {
      offers = negotiation.offers = await (outcome === 'restart' ? stream.open(signal) : stream.features(signal));
      done.clear();
    }
  }
  if (negotiation.jid === undefined) throw new NegotiationError(`${stream.peer} offers no way to bind a resource`);
  return negotiation.jid;
}

/**
 * What all features of the client want to add there, in their order.
 * @param offer the server's `<inline/>`; without one nothing is asked
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

/** A feature that is negotiated within others only. Its place decides when it is asked, and when it is answered. */
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
