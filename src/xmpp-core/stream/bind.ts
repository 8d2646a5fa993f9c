/** Resource binding (RFC 6120 §7). */
import { NegotiationError } from '../errors.js';
import { Jid } from '../jid/jid.js';
import { newId } from '../stanza/ids.js';
import { NS_BIND, NS_CLIENT } from '../stanza/namespaces.js';
import { readStanzaError } from '../stanza/stanza-error.js';
import { el } from '../xml/element.js';
import type { StreamFeature } from './stream-feature.js';

/** Binds the resource that is wished for, or lets the server choose. The server's word on the full JID is what counts. */
export const bind: StreamFeature = {
  name: 'bind',
  order: 300,

  offered(features, { authenticated, jid }) {
    return authenticated === undefined || jid !== undefined ? undefined : features.child('bind', NS_BIND);
  },

  async negotiate(_offer, negotiation) {
    const { stream, signal, account, resource } = negotiation;
    const id = newId();
    const wish = resource === undefined ? undefined : el('resource', NS_BIND, {}, resource);
    stream.send(el('iq', NS_CLIENT, { type: 'set', id }, el('bind', NS_BIND, {}, wish)));
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

/** Whether a JID that the server gave us is one of the account. Who logged in as nobody in particular is given one of the domain (XEP-0175). */
export function isOf(account: Jid, bound: Jid): boolean {
  return account.localpart === '' ? bound.domainpart === account.domainpart : bound.bare.equals(account);
}
