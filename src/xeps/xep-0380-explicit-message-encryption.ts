/**
 * XEP-0380 Explicit Message Encryption, 0.4.0. https://xmpp.org/extensions/xep-0380.html
 * Reading only: it tells an encrypted message from its unencrypted fallback text.
 */
import type { Element } from '../xmpp-core/xml/element.js';

export const NS_ENCRYPTION = 'urn:xmpp:eme:0';

/** Encryptions in use before this XEP, which clients still send without it. */
const ENCRYPTED: ReadonlyMap<string, string> = new Map([
  ['eu.siacs.conversations.axolotl', 'OMEMO'],
  ['urn:xmpp:omemo:1', 'OMEMO'],
  ['urn:xmpp:omemo:2', 'OMEMO'],
  ['urn:xmpp:openpgp:0', 'OpenPGP'],
  ['jabber:x:encrypted', 'OpenPGP'],
  ['urn:xmpp:otr:0', 'OTR'],
]);

/** The name of the encryption that a message is under, for people; `undefined` for a plain message. */
export function readEncryption(message: Element): string | undefined {
  const declared = message.child('encryption', NS_ENCRYPTION);
  const namespace = declared?.attr('namespace') ?? '';
  if (declared !== undefined)
    return ENCRYPTED.get(namespace) ?? declared.attr('name')?.slice(0, 40) ?? 'an unknown encryption';
  const found = message.children().find(({ ns }) => ENCRYPTED.has(ns));
  return found === undefined ? undefined : ENCRYPTED.get(found.ns);
}
