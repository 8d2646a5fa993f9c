/**
 * XEP-0380 Explicit Message Encryption, 0.4.0 (Deferred). https://xmpp.org/extensions/xep-0380.html
 *
 * Tells an encrypted message from its unencrypted fallback text, and how it is encrypted.
 */
import { definePlugin } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';

export const NS_ENCRYPTION = 'urn:xmpp:eme:0';

/** Encryptions that have names for people (§4); some are older than this XEP, and clients still send them without it. */
const ENCRYPTED: ReadonlyMap<string, string> = new Map([
  ['eu.siacs.conversations.axolotl', 'OMEMO'],
  ['urn:xmpp:omemo:1', 'OMEMO'],
  ['urn:xmpp:omemo:2', 'OMEMO'],
  ['urn:xmpp:openpgp:0', 'OpenPGP'],
  ['jabber:x:encrypted', 'OpenPGP'],
  ['urn:xmpp:otr:0', 'OTR'],
]);
const MAX_NAME_LENGTH = 40;

/** The name of the encryption that a message is under, for people; `undefined` for a plain message. */
export function readEncryption(message: Element): string | undefined {
  const declared = message.child('encryption', NS_ENCRYPTION);
  const namespace = declared?.attr('namespace') ?? '';
  if (declared !== undefined)
    return ENCRYPTED.get(namespace) ?? declared.attr('name')?.slice(0, MAX_NAME_LENGTH) ?? 'an unknown method';
  const found = message.children().find(({ ns }) => ENCRYPTED.has(ns));
  return found === undefined ? undefined : ENCRYPTED.get(found.ns);
}

/** @param name for people; only for encryptions that §4 does not list */
export function writeEncryption(namespace: string, name?: string): Element {
  return el('encryption', NS_ENCRYPTION, { namespace, name: ENCRYPTED.has(namespace) ? undefined : name });
}

/** Announces that encrypted messages are recognised. */
export const explicitEncryption = definePlugin({
  name: 'explicit-encryption',
  xep: 380,
  features: [NS_ENCRYPTION],
  setup: () => undefined,
});
