/** The SASL profile of RFC 6120 §6: one mechanism, one attempt. The mechanisms are in `sasl/`. */
import { NegotiationError } from '../errors.js';
import { encodeBase64 } from '../sasl/base64.js';
import { NS_SASL } from '../stanza/namespaces.js';
import { el } from '../xml/element.js';
import { readBindingTypes, readMechanisms } from './authenticator.js';
import type { SaslProfile } from './sasl-exchange.js';
import type { StreamFeature } from './stream-feature.js';

const profile: SaslProfile = {
  ns: NS_SASL,
  // §6.4.2: an empty initial response is written "=", to distinguish it from a missing one.
  begin: (mechanism, initial) =>
    el('auth', NS_SASL, { mechanism }, initial.byteLength === 0 ? '=' : encodeBase64(initial)),
  additionalData: ({ text }) => (text.trim() === '' ? undefined : text),
};

/** Authenticates the account. */
export const sasl: StreamFeature = {
  name: 'sasl',
  order: 200,

  offered(features, { stream, authenticated }) {
    if (authenticated !== undefined) return undefined;
    const mechanisms = features.child('mechanisms', NS_SASL);
    if (mechanisms === undefined) throw new NegotiationError(`${stream.peer} offers no way to authenticate`);
    // The list of binding types is a sibling of the mechanisms, so the offer is the whole of the features.
    return features;
  },

  async negotiate(features, negotiation) {
    const mechanisms = features.child('mechanisms', NS_SASL);
    const offer = {
      mechanisms: mechanisms === undefined ? [] : readMechanisms(mechanisms),
      bindingTypes: readBindingTypes(features),
    };
    const outcome = await negotiation.authenticator.authenticate(profile, offer, negotiation);
    if ('refusal' in outcome) throw outcome.refusal;
    negotiation.authenticated = outcome.mechanism;
    return 'restart';
  },
};
