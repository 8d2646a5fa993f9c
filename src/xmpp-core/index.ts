/**
 * `moltis-xmpp/core`: the RFCs without any extension, and all that a plugin is made of. Its `createClient` makes a client that has the
 * plugins it is given and no others.
 */
export {
  createClient,
  type Client,
  type ClientEvents,
  type ClientOptions,
  type ClientState,
  type Offline,
} from './client.js';
export type { StanzaErrorCondition, StanzaErrorType, StreamErrorCondition } from './error-conditions.js';
export * from './errors.js';
export type { Disposer, Events, Listenable, OnceOptions } from './events.js';
export {
  contactPresence,
  type AvailableResource,
  type ContactPresence,
  type ContactPresenceEvents,
} from './im/contact-presence.js';
export { resourceLocking, type ResourceLocking } from './im/resource-locking.js';
export type { RosterItem, Subscription } from './im/roster-item.js';
export type { RosterChange } from './im/roster-items.js';
export { roster, type Roster, type RosterContact, type RosterEvents } from './im/roster.js';
export { subscriptions, type SubscriptionEvents, type Subscriptions } from './im/subscriptions.js';
export { Jid, JidError, type JidPart } from './jid/jid.js';
export {
  definePlugin,
  senders,
  handled,
  type GuardScope,
  type Match,
  type OutgoingIq,
  type Plugin,
  type PluginContext,
  type SenderGuard,
  type Undelivered,
} from './plugin.js';
export type { ReconnectPolicy } from './reconnect.js';
export type { ChannelBindingPolicy } from './sasl/binding.js';
export type { Kept, SessionKeeper } from './session.js';
export { newId } from './stanza/ids.js';
export { chooseText, readTexts, type LocalizedText } from './stanza/language.js';
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
  type Received,
  type Show,
} from './stanza/stanzas.js';
export { memoryStorage, type Storage } from './storage.js';
export type { Login } from './stream/authenticator.js';
export {
  inlineOnly,
  type Credential,
  type InlinePart,
  type InlineRequest,
  type Negotiation,
  type Next,
  type StreamFeature,
} from './stream/stream-feature.js';
export { readStreamLimits, type StreamLimits } from './stream/stream-limits.js';
export { HttpError, ResponseTooLargeError, type HttpRequest, type HttpResponse } from './transport/http.js';
export type { ServerOverride, SrvResolver } from './transport/targets.js';
export type { ClientCertificate } from './transport/tls.js';
export { el, Element, type Attributes, type Node } from './xml/element.js';
