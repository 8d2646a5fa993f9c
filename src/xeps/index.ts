/** All extensions, and those for a chat client. */
import type { Plugin } from '../xmpp-core/plugin.js';
import { liveness } from './liveness.js';
import { serviceDiscovery } from './xep-0030-service-discovery.js';
import { muc } from './xep-0045-muc/index.js';
import { adHocCommands } from './xep-0050-ad-hoc-commands.js';
import { vcard } from './xep-0054-vcard-temp.js';
import { outOfBandData } from './xep-0066-out-of-band-data.js';
import { chatStates } from './xep-0085-chat-states.js';
import { softwareVersion } from './xep-0092-software-version.js';
import { entityCapabilities } from './xep-0115-entity-capabilities.js';
import { deliveryReceipts } from './xep-0184-message-delivery-receipts.js';
import { blocking } from './xep-0191-blocking-command.js';
import { streamManagement } from './xep-0198-stream-management/index.js';
import { ping } from './xep-0199-ping.js';
import { entityTime } from './xep-0202-entity-time.js';
import { carbons } from './xep-0280-message-carbons.js';
import { messageCorrection } from './xep-0308-message-correction.js';
import { messageArchive } from './xep-0313-message-archive/index.js';
import { displayedMarkers } from './xep-0333-displayed-markers.js';
import { clientStateIndication } from './xep-0352-client-state-indication.js';
import { httpUpload } from './xep-0363-http-file-upload.js';
import { explicitEncryption } from './xep-0380-explicit-message-encryption.js';
import { entityCapabilities2 } from './xep-0390-entity-capabilities-2.js';
import { bookmarks } from './xep-0402-bookmarks.js';
import { mucSelfPing } from './xep-0410-muc-self-ping.js';
import { messageRetraction } from './xep-0424-message-retraction.js';
import { messageReactions } from './xep-0444-message-reactions.js';
import { fileSharing } from './xep-0447-stateless-file-sharing.js';
import { messageReplies } from './xep-0461-message-replies.js';
import { fast } from './xep-0484-fast.js';

export * from './liveness.js';
export * from './message-identity.js';
export * from './xep-0004-data-forms.js';
export * from './xep-0030-service-discovery.js';
export * from './xep-0045-muc/index.js';
export * from './xep-0048-legacy-bookmarks.js';
export * from './xep-0049-private-xml.js';
export * from './xep-0050-ad-hoc-commands.js';
export * from './xep-0054-vcard-temp.js';
export * from './xep-0059-result-set-management.js';
export * from './xep-0060-pubsub/index.js';
export * from './xep-0066-out-of-band-data.js';
export * from './xep-0077-in-band-registration.js';
export * from './xep-0082-date-time.js';
export * from './xep-0084-user-avatar.js';
export * from './xep-0085-chat-states.js';
export * from './xep-0092-software-version.js';
export * from './xep-0103-url-address-information.js';
export * from './xep-0115-entity-capabilities.js';
export * from './xep-0128-service-discovery-extensions.js';
export * from './xep-0153-vcard-avatars.js';
export * from './xep-0157-contact-addresses.js';
export * from './xep-0163-personal-eventing.js';
export * from './xep-0172-user-nickname.js';
export * from './xep-0184-message-delivery-receipts.js';
export * from './xep-0198-stream-management/index.js';
export * from './xep-0191-blocking-command.js';
export * from './xep-0199-ping.js';
export * from './xep-0202-entity-time.js';
export * from './xep-0203-delayed-delivery.js';
export * from './xep-0223-private-data.js';
export * from './xep-0245-me-command.js';
export * from './xep-0249-direct-invitations.js';
export * from './xep-0280-message-carbons.js';
export * from './xep-0292-vcard4.js';
export * from './xep-0297-stanza-forwarding.js';
export * from './xep-0300-cryptographic-hashes.js';
export * from './xep-0308-message-correction.js';
export * from './xep-0313-message-archive/index.js';
export * from './xep-0333-displayed-markers.js';
export * from './xep-0334-message-processing-hints.js';
export * from './xep-0359-stable-ids.js';
export * from './xep-0352-client-state-indication.js';
export * from './xep-0363-http-file-upload.js';
export * from './xep-0372-references.js';
export * from './xep-0380-explicit-message-encryption.js';
export * from './xep-0386-bind2.js';
export * from './xep-0388-sasl2.js';
export * from './xep-0393-message-styling.js';
export * from './xep-0390-entity-capabilities-2.js';
export * from './xep-0402-bookmarks.js';
export * from './xep-0410-muc-self-ping.js';
export * from './xep-0421-occupant-id.js';
export * from './xep-0424-message-retraction.js';
export * from './xep-0425-moderated-message-retraction.js';
export * from './xep-0426-character-counting.js';
export * from './xep-0428-fallback-indication.js';
export * from './xep-0441-archive-preferences.js';
export * from './xep-0444-message-reactions.js';
export * from './xep-0446-file-metadata.js';
export * from './xep-0447-stateless-file-sharing.js';
export * from './xep-0461-message-replies.js';
export * from './xep-0484-fast.js';
export * from './xep-0486-muc-avatars.js';

/** The plugins of a chat client: `createClient({ jid, password, plugins: chatPlugins })`. */
export const chatPlugins: readonly Plugin<unknown>[] = [
  serviceDiscovery,
  entityCapabilities,
  entityCapabilities2,
  softwareVersion,
  entityTime,
  adHocCommands,
  vcard,
  blocking,
  bookmarks,
  muc,
  mucSelfPing,
  chatStates,
  ping,
  liveness,
  streamManagement,
  clientStateIndication,
  carbons,
  messageArchive,
  httpUpload,
  messageReactions,
  outOfBandData,
  deliveryReceipts,
  messageCorrection,
  displayedMarkers,
  explicitEncryption,
  messageRetraction,
  fileSharing,
  messageReplies,
  fast,
];
