/**
 * `moltis-xmpp`: a client with the usual extensions, and what nearly every program needs with it. The rest is in subpaths: each extension in
 * `moltis-xmpp/xeps/0045` by its number, all that a plugin is made of in `moltis-xmpp/core`, and `moltis-xmpp/xml`, `/jid` and `/loopback`.
 */
export {
  createClient,
  type ChatClient,
  type FileToSend,
  type MessageToSend,
  type SendFileOptions,
  type SentMessage,
} from './chat-client.js';
export type { ClientEvents, ClientOptions, ClientState, Offline } from './xmpp-core/client.js';
export {
  ConnectError,
  NegotiationError,
  SaslError,
  StanzaError,
  StreamError,
  TimeoutError,
  TlsError,
  UnreachableError,
  WrongPortError,
  XmppError,
} from './xmpp-core/errors.js';
export { contactPresence } from './xmpp-core/im/contact-presence.js';
export { roster, type Roster, type RosterContact, type RosterEvents } from './xmpp-core/im/roster.js';
export type { RosterItem } from './xmpp-core/im/roster-item.js';
export { subscriptions, type SubscriptionEvents, type Subscriptions } from './xmpp-core/im/subscriptions.js';
export { Jid, JidError } from './xmpp-core/jid/jid.js';
export { definePlugin, senders, handled, type Plugin, type PluginContext } from './xmpp-core/plugin.js';
export type {
  IqRequest,
  Message,
  MessageType,
  OutgoingMessage,
  OutgoingPresence,
  OutgoingText,
  Presence,
} from './xmpp-core/stanza/stanzas.js';
export { memoryStorage, type Storage } from './xmpp-core/storage.js';
export { el, Element } from './xmpp-core/xml/element.js';
export { chatPlugins } from './xeps/chat-plugins.js';
export { authorOf, isSameAuthor, type AnyMessage, type Author } from './xeps/message-identity.js';
export { muc, type MucEvents, type Room, type RoomMessage, type RoomOptions } from './xeps/xep-0045-muc/index.js';
