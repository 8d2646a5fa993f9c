/**
 * Typed views over stanzas (RFC 6120 §8, RFC 6121). A view holds what every reader needs, prepared once; everything else is
 * read from its element by the codec that knows it.
 */
import type { Jid } from '../jid/jid.js';
import { el, type Element } from '../xml/element.js';
import { newId } from './ids.js';
import { NS_CLIENT } from './namespaces.js';

/** What the three kinds have in common. An absent `from` was filled in by the router (RFC 6120 §8.1.2.1). */
interface Received {
  readonly element: Element;
  readonly from: Jid;
  readonly to: Jid | undefined;
  readonly id: string | undefined;
}

/** RFC 6121 §5.2.2; an unknown type counts as `normal`. Errors never become a `Message`. */
export type MessageType = 'chat' | 'groupchat' | 'headline' | 'normal';

/** A message that was received. */
export interface Message extends Received {
  readonly type: MessageType;
  /** The text, or `undefined` where there is no `<body/>`: a message that only carries payloads. */
  readonly body: string | undefined;
  /** The conversation it belongs to, by an id that only compares (RFC 6121 §5.2.5). */
  readonly thread: string | undefined;
}

/** RFC 6121 §4.7.1; `available` is the absence of a type. */
export type PresenceType =
  'available' | 'unavailable' | 'subscribe' | 'subscribed' | 'unsubscribe' | 'unsubscribed' | 'probe' | 'error';

/** A presence that was received, errors included. */
export interface Presence extends Received {
  readonly type: PresenceType;
}

/** A request that was received. */
export interface IqRequest extends Received {
  readonly type: 'get' | 'set';
  readonly id: string;
  readonly payload: Element;
}

/** A message to be sent. */
export interface OutgoingMessage {
  readonly to: Jid;
  readonly type: MessageType;
  readonly id?: string;
  readonly body?: string | undefined;
  readonly thread?: string | undefined;
  readonly payloads?: readonly (Element | undefined)[];
}

/** Writes a message; without an `id` it gets a fresh one. */
export function writeMessage({ to, type, id = newId(), body, thread, payloads = [] }: OutgoingMessage): Element {
  return el(
    'message',
    NS_CLIENT,
    { to: to.toString(), type, id },
    body === undefined ? undefined : el('body', NS_CLIENT, {}, body),
    thread === undefined ? undefined : el('thread', NS_CLIENT, {}, thread),
    ...payloads,
  );
}

/** A presence to be sent; without `to` it is broadcast (RFC 6121 §4.2). */
export interface OutgoingPresence {
  readonly to?: Jid;
  readonly type?: Exclude<PresenceType, 'available' | 'error'>;
  readonly show?: 'away' | 'chat' | 'dnd' | 'xa';
  readonly status?: string;
  readonly payloads?: readonly (Element | undefined)[];
}

/** Writes a presence. */
export function writePresence({ to, type, show, status, payloads = [] }: OutgoingPresence): Element {
  return el(
    'presence',
    NS_CLIENT,
    { to: to?.toString(), type, id: newId() },
    show === undefined ? undefined : el('show', NS_CLIENT, {}, show),
    status === undefined ? undefined : el('status', NS_CLIENT, {}, status),
    ...payloads,
  );
}

const MESSAGE_TYPES: ReadonlySet<string> = new Set<MessageType>(['chat', 'groupchat', 'headline', 'normal']);
const PRESENCE_TYPES: ReadonlySet<string> = new Set<PresenceType>([
  'unavailable',
  'subscribe',
  'subscribed',
  'unsubscribe',
  'unsubscribed',
  'probe',
  'error',
]);

/** The view of a message that is not an error. */
export function readMessage(element: Element, from: Jid, to: Jid | undefined): Message {
  const type = element.attr('type') ?? 'normal';
  return {
    element,
    from,
    to,
    id: element.attr('id'),
    type: isMessageType(type) ? type : 'normal',
    body: element.childText('body'),
    thread: element.childText('thread'),
  };
}

/** The view of a presence, or `undefined` for a type that does not exist (RFC 6121 §4.7.1: it is ignored). */
export function readPresence(element: Element, from: Jid, to: Jid | undefined): Presence | undefined {
  const type = element.attr('type') ?? 'available';
  if (type !== 'available' && !PRESENCE_TYPES.has(type)) return undefined;
  return { element, from, to, id: element.attr('id'), type: type as PresenceType };
}

function isMessageType(type: string): type is MessageType {
  return MESSAGE_TYPES.has(type);
}
