/**
 * Typed views of stanzas (RFC 6120 §8, RFC 6121). A view holds the common fields, parsed once; codecs read everything else from its
 * element.
 */
import { XmppError } from '../errors.js';
import { Jid } from '../jid/jid.js';
import { el, type Element } from '../xml/element.js';
import { newId } from './ids.js';
import { readText, type LocalizedText } from './language.js';
import { NS_CLIENT } from './namespaces.js';

/** The fields that all stanzas have. The router fills in an absent `from` (RFC 6120 §8.1.2.1). */
export interface Received {
  readonly element: Element;
  readonly from: Jid;
  readonly to: Jid | undefined;
  readonly id: string | undefined;
  /** The default language of texts, from the stanza or its stream (RFC 6120 §8.1.5). */
  readonly language: string | undefined;
}

/** RFC 6121 §5.2.2; an unknown type counts as `normal`. Errors never become a `Message`. */
export type MessageType = 'chat' | 'groupchat' | 'headline' | 'normal';

/** A message that was received. */
export interface Message extends Received {
  readonly type: MessageType;
  /**
   * The text; `undefined` without a `<body/>`, for a message that only carries payloads. If there are several languages, this is the
   * one in the message's own; `readTexts(message.element, 'body', message.language)` returns all.
   */
  readonly body: string | undefined;
  /** The subject (RFC 6121 §5.2.4), chosen in the same way. */
  readonly subject: string | undefined;
  /** The opaque id of the conversation (RFC 6121 §5.2.5). */
  readonly thread: string | undefined;
  /** The id of the conversation from which this one branched off. */
  readonly parentThread: string | undefined;
}

/** RFC 6121 §4.7.1; `available` stands for no type. */
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
  readonly to: Jid | string;
  readonly type: MessageType;
  readonly id?: string | undefined;
  /** One text, or the same text in several languages, at most once per language (RFC 6121 §5.2.3). */
  readonly body?: OutgoingText | undefined;
  readonly subject?: OutgoingText | undefined;
  readonly thread?: string | undefined;
  readonly parentThread?: string | undefined;
  readonly payloads?: readonly (Element | undefined)[];
}

/** A human-readable text, in one or several languages. */
export type OutgoingText = string | readonly LocalizedText[];

/** Writes a message; without an `id` it gets a new one. @throws XmppError when two texts are in the same language */
export function writeMessage(message: OutgoingMessage): Element {
  const { to, type, id = newId(), body, subject, thread, parentThread, payloads = [] } = message;
  return el(
    'message',
    NS_CLIENT,
    { to: Jid.from(to).toString(), type, id },
    ...writeTexts('subject', subject),
    ...writeTexts('body', body),
    thread === undefined ? undefined : el('thread', NS_CLIENT, { parent: parentThread }, thread),
    ...payloads,
  );
}

function writeTexts(name: string, text: OutgoingText | undefined): Element[] {
  if (text === undefined) return [];
  if (typeof text === 'string') return [el(name, NS_CLIENT, {}, text)];
  if (new Set(text.map(({ language }) => language?.toLowerCase())).size < text.length) {
    throw new XmppError(`two <${name}/> have the same language`);
  }
  return text.map(({ text, language }) => el(name, NS_CLIENT, { 'xml:lang': language }, text));
}

/** A presence to be sent; without `to` it is broadcast (RFC 6121 §4.2). */
export interface OutgoingPresence {
  readonly to?: Jid | string;
  readonly type?: Exclude<PresenceType, 'available' | 'error'>;
  readonly show?: Show | undefined;
  readonly status?: OutgoingText | undefined;
  /** From -128 to 127: the server prefers the highest for messages to the bare JID; a negative one gets none (RFC 6121 §4.7.2.3). */
  readonly priority?: number | undefined;
  readonly payloads?: readonly (Element | undefined)[];
}

/** RFC 6121 §4.7.2.1: away, free to chat, busy, away for long. */
export type Show = 'away' | 'chat' | 'dnd' | 'xa';

/** Writes a presence. @throws XmppError when the priority is invalid, or two statuses are in the same language */
export function writePresence({ to, type, show, status, priority, payloads = [] }: OutgoingPresence): Element {
  if (priority !== undefined && !isPriority(priority))
    throw new XmppError(`the priority must be a whole number from -128 to 127, not ${priority}`);
  return el(
    'presence',
    NS_CLIENT,
    { to: to === undefined ? undefined : Jid.from(to).toString(), type, id: newId() },
    show === undefined ? undefined : el('show', NS_CLIENT, {}, show),
    ...writeTexts('status', status),
    priority === undefined ? undefined : el('priority', NS_CLIENT, {}, String(priority)),
    ...payloads,
  );
}

/** The availability of a presence's sender (RFC 6121 §4.7.2). */
export interface Availability {
  readonly show: Show | undefined;
  /** In the language of the stanza, if there are several. */
  readonly status: string | undefined;
  readonly priority: number;
}

/** Reads the availability of a presence. An unknown `show` counts as none, an invalid priority as 0. */
export function readAvailability({ element, language }: Pick<Received, 'element' | 'language'>): Availability {
  const show = element.childText('show')?.trim() ?? '';
  const priority = element.childText('priority')?.trim() ?? '';
  return {
    show: isShow(show) ? show : undefined,
    status: readText(element, 'status', language)?.text,
    priority: /^[+-]?\d{1,3}$/.test(priority) && isPriority(Number(priority)) ? Number(priority) : 0,
  };
}

const MESSAGE_TYPES: ReadonlySet<string> = new Set<MessageType>(['chat', 'groupchat', 'headline', 'normal']);
const SHOWS: ReadonlySet<string> = new Set<Show>(['away', 'chat', 'dnd', 'xa']);
const PRESENCE_TYPES: ReadonlySet<string> = new Set<PresenceType>([
  'unavailable',
  'subscribe',
  'subscribed',
  'unsubscribe',
  'unsubscribed',
  'probe',
  'error',
]);

/** Reads a message that is not an error. */
export function readMessage(received: Received): Message {
  const { element, language } = received;
  const type = element.attr('type') ?? 'normal';
  const thread = element.child('thread');
  return {
    ...received,
    type: isMessageType(type) ? type : 'normal',
    body: readText(element, 'body', language)?.text,
    subject: readText(element, 'subject', language)?.text,
    thread: thread?.text,
    parentThread: thread?.attr('parent'),
  };
}

/**
 * Reads a presence; `undefined` for an unknown type, which is ignored: the `bad-request` of RFC 6121 §4.7.1 would reveal to any
 * stranger that we are online (RFC 6120 §13.10.2).
 */
export function readPresence(received: Received): Presence | undefined {
  const type = received.element.attr('type') ?? 'available';
  if (type !== 'available' && !PRESENCE_TYPES.has(type)) return undefined;
  return { ...received, type: type as PresenceType };
}

function isMessageType(type: string): type is MessageType {
  return MESSAGE_TYPES.has(type);
}

function isShow(show: string): show is Show {
  return SHOWS.has(show);
}

function isPriority(priority: number): boolean {
  return Number.isInteger(priority) && priority >= -128 && priority <= 127;
}
