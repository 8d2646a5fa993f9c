/**
 * XEP-0380 Explicit Message Encryption, 0.4.0 (Deferred). https://xmpp.org/extensions/xep-0380.html
 *
 * Detects encrypted messages, whose body is only a fallback text or, with OTR, the secret itself; and the encryption used.
 */
import { definePlugin } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';

/** The namespace of explicit encryption. */
export const NS_ENCRYPTION = 'urn:xmpp:eme:0';

/** The names of encryptions (§4), by namespace. Some are older than this XEP, and sent without it. */
const ENCRYPTED: ReadonlyMap<string, string> = new Map([
  ['eu.siacs.conversations.axolotl', 'OMEMO'],
  ['urn:xmpp:omemo:1', 'OMEMO'],
  ['urn:xmpp:omemo:2', 'OMEMO'],
  ['urn:xmpp:openpgp:0', 'OpenPGP'],
  ['jabber:x:encrypted', 'OpenPGP'],
  ['urn:xmpp:otr:0', 'OTR'],
]);
/** OTR writes its messages, fragments, queries and errors into the body (XEP-0364 §2). */
const OTR = /^\?OTR(?:[:,|?]|v\w{0,8}\?| Error:)/;
const MAX_NAME_LENGTH = 40;

/** The display name of a message's encryption; `undefined` for a plain message. */
export function readEncryption(message: Element): string | undefined {
  const declared = message.child('encryption', NS_ENCRYPTION);
  const namespace = declared?.attr('namespace') ?? '';
  if (declared !== undefined)
    return ENCRYPTED.get(namespace) ?? declared.attr('name')?.slice(0, MAX_NAME_LENGTH) ?? 'an unknown method';
  const found = message.children().find(({ ns }) => ENCRYPTED.has(ns));
  if (found !== undefined) return ENCRYPTED.get(found.ns);
  return OTR.test(message.childText('body') ?? '') ? 'OTR' : undefined;
}

/** Writes the encryption of a message. @param name for display; only for encryptions that §4 does not list */
export function writeEncryption(namespace: string, name?: string): Element {
  return el('encryption', NS_ENCRYPTION, { namespace, name: ENCRYPTED.has(namespace) ? undefined : name });
}

/** Announces that encrypted messages are detected. */
export const explicitEncryption = definePlugin({
  name: 'explicit-encryption',
  xep: 380,
  features: [NS_ENCRYPTION],
  setup: () => undefined,
});
