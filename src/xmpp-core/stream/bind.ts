/** Resource binding (RFC 6120 §7). */
import { NegotiationError } from '../errors.js';
import { Jid } from '../jid/jid.js';
import { newId } from '../stanza/ids.js';
import { NS_BIND, NS_CLIENT } from '../stanza/namespaces.js';
import { readStanzaError } from '../stanza/stanza-error.js';
import { el } from '../xml/element.js';
import type { StreamFeature } from './stream-feature.js';

/** Binds the configured resource, or lets the server choose one. The server decides on the full JID. */
export const bind: StreamFeature = {
  name: 'bind',
  order: 300,

  offered(features, { authenticated, jid }) {
    return authenticated === undefined || jid !== undefined ? undefined : features.child('bind', NS_BIND);
  },

  async negotiate(_offer, negotiation) {
    const { stream, signal, account, resource } = negotiation;
    const id = newId();
    const requested = resource === undefined ? undefined : el('resource', NS_BIND, {}, resource);
    stream.send(el('iq', NS_CLIENT, { type: 'set', id }, el('bind', NS_BIND, {}, requested)));
    const reply = await stream.receive(signal);
    if (!reply.is('iq', NS_CLIENT) || reply.attr('id') !== id) {
      throw new NegotiationError(`${stream.peer} sent <${reply.name}/> instead of the bound resource`);
    }
    if (reply.attr('type') === 'error') {
      const error = readStanzaError(reply);
      throw new NegotiationError(`${stream.peer} did not bind the resource: ${error.message}`, { cause: error });
    }
    const bound = Jid.tryParse(reply.child('bind', NS_BIND)?.childText('jid'));
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
