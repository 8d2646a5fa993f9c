/** `<query xmlns='http://jabber.org/protocol/muc#owner'/>`: what only owners of a room can do (XEP-0045 §10). */
import { Jid } from '../../xmpp-core/jid/jid.js';
import { el, type Element } from '../../xmpp-core/xml/element.js';
import { writeDataForm, type DataForm } from '../xep-0004-data-forms.js';

/** The namespace of requests by owners. */
export const NS_MUC_OWNER = 'http://jabber.org/protocol/muc#owner';
/** The `FORM_TYPE` of a room's configuration (§15.5.3). */
export const NS_ROOM_CONFIGURATION = 'http://jabber.org/protocol/muc#roomconfig';

/** The destruction of a room (§10.9). */
export interface Destruction {
  /** A room to join instead. */
  readonly alternate?: Jid | undefined;
  readonly reason?: string | undefined;
  /** The password of the alternate room. */
  readonly password?: string | undefined;
}

/** Reads a `<destroy/>` element of a room. */
export function readDestruction(destroy: Element): Destruction {
  return {
    alternate: Jid.fromWire(destroy.attr('jid')),
    reason: destroy.childText('reason'),
    password: destroy.childText('password'),
  };
}

/** Writes the request that destroys a room. */
export function writeDestruction({ alternate, reason, password }: Destruction): Element {
  const destroy = el(
    'destroy',
    NS_MUC_OWNER,
    { jid: alternate?.toString() },
    reason === undefined ? undefined : el('reason', NS_MUC_OWNER, {}, reason),
    password === undefined ? undefined : el('password', NS_MUC_OWNER, {}, password),
  );
  return el('query', NS_MUC_OWNER, {}, destroy);
}

/** Writes the filled form of a room's configuration. A form without fields accepts the defaults of a new room (§10.1.2). */
export function writeConfiguration(form: DataForm): Element {
  return el('query', NS_MUC_OWNER, {}, writeDataForm(form));
}
