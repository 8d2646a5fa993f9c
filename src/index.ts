/** The library's face: a client, its plugins, and the types that go with them. Nothing else is public. */
export {
  createClient,
  type Client,
  type ClientEvents,
  type ClientOptions,
  type ClientState,
  type Offline,
} from './xmpp-core/client.js';
export type { StanzaErrorCondition, StanzaErrorType, StreamErrorCondition } from './xmpp-core/error-conditions.js';
export * from './xmpp-core/errors.js';
export type { Disposer, Listenable, OnceOptions } from './xmpp-core/events.js';
export {
  contactPresence,
  type AvailableResource,
  type ContactPresence,
  type ContactPresenceEvents,
} from './xmpp-core/im/contact-presence.js';
export { resourceLocking, type ResourceLocking } from './xmpp-core/im/resource-locking.js';
export type { RosterItem, Subscription } from './xmpp-core/im/roster-item.js';
export type { RosterChange } from './xmpp-core/im/roster-items.js';
export { roster, type Roster, type RosterContact, type RosterEvents } from './xmpp-core/im/roster.js';
export { subscriptions, type SubscriptionEvents, type Subscriptions } from './xmpp-core/im/subscriptions.js';
export { Jid, JidError } from './xmpp-core/jid/jid.js';
export {
  definePlugin,
  from,
  handled,
  type GuardScope,
  type Match,
  type OutgoingIq,
  type Plugin,
  type PluginContext,
  type SenderGuard,
  type Undelivered,
} from './xmpp-core/plugin.js';
export type { ReconnectPolicy } from './xmpp-core/reconnect.js';
export { newId } from './xmpp-core/stanza/ids.js';
export { chooseText, readTexts, type LocalizedText } from './xmpp-core/stanza/language.js';
export {
  readAvailability,
  writeMessage,
  writePresence,
  type Availability,
  type IqRequest,
  type Message,
  type MessageType,
  type OutgoingMessage,
  type OutgoingPresence,
  type OutgoingText,
  type Presence,
  type PresenceType,
  type Show,
} from './xmpp-core/stanza/stanzas.js';
export { memoryStorage, type Storage } from './xmpp-core/storage.js';
export {
  inlineOnly,
  type Credential,
  type InlinePart,
  type InlineRequest,
  type Negotiation,
  type Next,
  type StreamFeature,
} from './xmpp-core/stream/stream-feature.js';
export { readStreamLimits, type StreamLimits } from './xmpp-core/stream/stream-limits.js';
export type { ServerOverride, SrvResolver } from './xmpp-core/transport/targets.js';
export { el, Element, type Attributes, type Node } from './xmpp-core/xml/element.js';
export { DEFAULT_LIMITS, type XmlLimits } from './xmpp-core/xml/limits.js';
export { scope, serialize, type Scope } from './xmpp-core/xml/serialize.js';
export { parseElement, StreamParser, type StreamHandlers } from './xmpp-core/xml/stream-parser.js';
export * from './xeps/index.js';
