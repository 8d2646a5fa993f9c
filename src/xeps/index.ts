/** The extensions there are, and those that a client for people wants. */
import type { Plugin } from '../xmpp-core/plugin.js';
import { serviceDiscovery } from './xep-0030-service-discovery.js';
import { muc } from './xep-0045-muc/index.js';
import { chatStates } from './xep-0085-chat-states.js';
import { ping } from './xep-0199-ping.js';
import { httpUpload } from './xep-0363-http-file-upload.js';
import { messageReactions } from './xep-0444-message-reactions.js';
import { fast } from './xep-0484-fast.js';

export * from './xep-0004-data-forms.js';
export * from './xep-0030-service-discovery.js';
export * from './xep-0045-muc/index.js';
export * from './xep-0059-result-set-management.js';
export * from './xep-0066-out-of-band-data.js';
export * from './xep-0082-date-time.js';
export * from './xep-0085-chat-states.js';
export * from './xep-0128-service-discovery-extensions.js';
export * from './xep-0157-contact-addresses.js';
export * from './xep-0199-ping.js';
export * from './xep-0203-delayed-delivery.js';
export * from './xep-0280-message-carbons.js';
export * from './xep-0297-stanza-forwarding.js';
export * from './xep-0308-message-correction.js';
export * from './xep-0313-message-archive/index.js';
export * from './xep-0334-message-processing-hints.js';
export * from './xep-0359-stable-ids.js';
export * from './xep-0363-http-file-upload.js';
export * from './xep-0380-explicit-message-encryption.js';
export * from './xep-0386-bind2.js';
export * from './xep-0388-sasl2.js';
export * from './xep-0421-occupant-id.js';
export * from './xep-0441-archive-preferences.js';
export * from './xep-0444-message-reactions.js';
export * from './xep-0461-message-replies.js';
export * from './xep-0484-fast.js';

/** The plugins of a chat client: `createClient({ jid, password, plugins: chatPlugins })`. */
export const chatPlugins: readonly Plugin<unknown>[] = [
  serviceDiscovery,
  muc,
  chatStates,
  ping,
  httpUpload,
  messageReactions,
  fast,
];
