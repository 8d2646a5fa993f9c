/** The preset: the extensions that a client for people wants. */
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

/**
 * The plugins of a chat client. `createClient` of `moltis-xmpp` sets them up; with the one of `moltis-xmpp/core` they are given as
 * `plugins: chatPlugins`, or some of them.
 */
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
