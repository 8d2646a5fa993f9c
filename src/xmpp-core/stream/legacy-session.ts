/**
 * The session of RFC 3921 §3, which RFC 6121 removed. Servers still offer it, most with the child `<optional/>` that says it does nothing
 * (draft-cridland-xmpp-session §2). One without that child may take no stanza before the session is opened.
 */
import { NS_SESSION } from '../stanza/namespaces.js';
import { el } from '../xml/element.js';
import { negotiationRequest } from './negotiation-request.js';
import type { StreamFeature } from './stream-feature.js';

/** Opens the session with a server that requires it. */
export const legacySession: StreamFeature = {
  name: 'session',
  order: 310,

  offered(features, { jid }) {
    const offer = features.child('session', NS_SESSION);
    return jid === undefined || offer?.child('optional') !== undefined ? undefined : offer;
  },

  async negotiate(_offer, negotiation) {
    await negotiationRequest(el('session', NS_SESSION), 'open the session of RFC 3921', negotiation);
    return 'done';
  },
};
