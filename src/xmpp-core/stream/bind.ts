/** Resource binding (RFC 6120 §7). */
import { NegotiationError } from '../errors.js';
import { Jid } from '../jid/jid.js';
import { NS_BIND } from '../stanza/namespaces.js';
import { el } from '../xml/element.js';
import { negotiationRequest } from './negotiation-request.js';
import type { StreamFeature } from './stream-feature.js';

/** Binds the configured resource, or lets the server choose one. The server decides on the full JID. */
export const bind: StreamFeature = {
  name: 'bind',
  order: 300,

  offered(features, { authenticated, jid }) {
    return authenticated === undefined || jid !== undefined ? undefined : features.child('bind', NS_BIND);
  },

  async negotiate(_offer, negotiation) {
    const { stream, account, resource } = negotiation;
    const requested = resource === undefined ? undefined : el('resource', NS_BIND, {}, resource);
    const reply = await negotiationRequest(el('bind', NS_BIND, {}, requested), 'bind the resource', negotiation);
    const bound = Jid.fromWire(reply.child('bind', NS_BIND)?.childText('jid'));
    if (bound === undefined || bound.isBare || !isOf(account, bound)) {
      throw new NegotiationError(`${stream.peer} bound a JID that does not belong to ${account.toString()}`);
    }
    negotiation.jid = bound;
    return 'done';
  },
};

/** Whether a JID from the server belongs to the account. After an anonymous login it only has to be in the domain (XEP-0175). */
export function isOf(account: Jid, bound: Jid): boolean {
  return account.localpart === '' ? bound.domainpart === account.domainpart : bound.bare.equals(account);
}
