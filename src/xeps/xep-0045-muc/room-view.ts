/** What a room lets us see: who is there, who we are among them, what is said and what is announced. */
import type { Events } from '../../xmpp-core/events.js';
import type { Jid } from '../../xmpp-core/jid/jid.js';
import type { PluginContext } from '../../xmpp-core/plugin.js';
import { readAvailability, type Message, type Presence } from '../../xmpp-core/stanza/stanzas.js';
import type { Element } from '../../xmpp-core/xml/element.js';
import { answerOr } from '../answer-or.js';
import { readDelay } from '../xep-0203-delayed-delivery.js';
import { NS_STABLE_IDS, readStanzaId } from '../xep-0359-stable-ids.js';
import { NS_OCCUPANT_ID, readOccupantId } from '../xep-0421-occupant-id.js';
import { changesOf, type Left, type MucEvents, type RoomMessage } from './events.js';
import type { MucUser } from './muc-user.js';
import { Occupants, type Occupant } from './occupants.js';
import { readRoomMessage } from './room-message.js';
import type { Room } from './room.js';

/** What a room needs of the plugin. */
export interface RoomHost {
  readonly context: PluginContext;
  readonly events: Events<MucEvents>;
  /** What the room announces. */
  features(room: Jid, signal?: AbortSignal): Promise<ReadonlySet<string>>;
}

export class RoomView {
  /** Ours, as the room knows it; the wish while we are not in it. */
  nick: string;
  readonly #room: Room;
  readonly #host: RoomHost;
  readonly #occupants = new Occupants();
  #announced: ReadonlySet<string> = new Set();
  #lastSaid: Date | undefined;

  constructor(room: Room, host: RoomHost, nick: string) {
    this.#room = room;
    this.#host = host;
    this.nick = nick;
  }

  get occupants(): ReadonlyMap<string, Occupant> {
    return this.#occupants.byNick;
  }

  get self(): Occupant | undefined {
    return this.#occupants.byNick.get(this.nick);
  }

  /** What the room announces, which decides which of its ids can be believed. */
  get announced(): ReadonlySet<string> {
    return this.#announced;
  }

  /** When something was said last. */
  get lastSaid(): Date | undefined {
    return this.#lastSaid;
  }

  /** Asks what the room announces; nothing, when it does not answer. @throws OfflineError, the signal's reason */
  async learn(signal?: AbortSignal): Promise<void> {
    this.#announced = await answerOr(this.#host.features(this.#room.jid, signal), new Set<string>());
  }

  /** Somebody is there, or is there in another way. */
  see(presence: Presence, user: MucUser, isSelf: boolean): void {
    const { events } = this.#host;
    const nick = presence.from.resource;
    const occupant: Occupant = {
      nick,
      affiliation: user.affiliation,
      role: user.role,
      realJid: user.jid?.bare,
      occupantId: this.#occupantIdOf(presence.element),
      show: readAvailability(presence).show,
    };
    const before = this.#occupants.byNick.get(nick);
    const wasCut = this.#occupants.isCut;
    const isListed = this.#occupants.put(occupant, isSelf);
    if (isSelf) this.nick = nick;
    if (!isListed && !wasCut) events.emit('crowded', { room: this.#room });
    if (!isListed || !this.#room.joined) return;
    if (before === undefined) events.emit('occupantJoined', { room: this.#room, occupant });
    else if (isOther(before, occupant)) events.emit('occupantChanged', { room: this.#room, occupant, before });
  }

  /** Somebody else is gone. */
  lose(nick: string, left: Left): void {
    const occupant = this.#occupants.take(nick);
    if (occupant === undefined || !this.#room.joined) return;
    this.#host.events.emit('occupantLeft', { room: this.#room, occupant, ...left });
  }

  /** Somebody has another nick. The presence under it follows (§7.6), and is of somebody we know. */
  rename(before: string, nick: string, isSelf: boolean): void {
    const occupant = this.#occupants.take(before);
    if (occupant !== undefined) this.#occupants.put({ ...occupant, nick }, isSelf);
    if (isSelf) this.nick = nick;
    if (this.#room.joined) this.#host.events.emit('renamed', { room: this.#room, nick, before, self: isSelf });
  }

  /** Takes a message of the room, and tells what it is. */
  hear(message: Message): void {
    const { events, context } = this.#host;
    const room = this.#room;
    const read = readRoomMessage(message, context.account);
    switch (read.kind) {
      case 'said': {
        const said = this.#describe(message);
        // A forged time, in the future or long ago, must not decide what history is asked for when we come back.
        const at = Math.min(said.delayed?.getTime() ?? Infinity, Date.now());
        this.#lastSaid = new Date(Math.max(at, this.#lastSaid?.getTime() ?? 0));
        return events.emit('message', said);
      }
      case 'whispered':
        return events.emit('privateMessage', this.#describe(message));
      case 'subject':
        return events.emit('subject', { room, subject: read.subject, nick: message.from.resource });
      case 'notice':
        return events.emit('notice', { room, message });
      case 'configured':
        // A changed room may announce other things, and with them other ids can be believed.
        context.background(() => this.learn());
        return events.emit('configured', { room, changes: changesOf(read.statuses) });
      case 'affiliation':
        return events.emit('affiliationChanged', { room, own: read.own, ...read.change });
      case 'approval':
        return events.emit('approvalRequested', { room, request: read.request });
      case 'decline':
        return events.emit('declined', { room, ...read.decline });
      case 'moderated':
        return events.emit('moderated', { room, ...read.retraction });
      case 'nothing':
    }
  }

  /** Who was there is not known any more: a later stay tells it anew. */
  clear(): void {
    this.#occupants.clear();
  }

  #describe(message: Message): RoomMessage {
    const { element } = message;
    const nick = message.from.resource;
    const delayed = readDelay(element)?.stamp;
    const occupantId = this.#occupantIdOf(element);
    const ownId = this.self?.occupantId;
    return {
      room: this.#room,
      nick,
      message,
      occupant: delayed === undefined ? this.#speaker(nick, occupantId) : undefined,
      occupantId,
      stanzaId: this.#announced.has(NS_STABLE_IDS) ? readStanzaId(element, this.#room.jid) : undefined,
      delayed,
      own: occupantId === undefined || ownId === undefined ? nick === this.nick : occupantId === ownId,
    };
  }

  /**
   * Who says something now, by the id that comes with it. ejabberd 24.12 gives who makes a room another one in the presence that makes it, and
   * whoever looks them up later has to find who spoke. Ours is what our own presence says.
   */
  #speaker(nick: string, occupantId: string | undefined): Occupant | undefined {
    const known = this.#occupants.byNick.get(nick);
    if (known === undefined || occupantId === undefined || nick === this.nick) return known;
    const speaker = { ...known, occupantId };
    this.#occupants.put(speaker, false);
    return speaker;
  }

  /** XEP-0421 §4: where the room does not announce that it gives ids, any occupant could have written one. */
  #occupantIdOf(stanza: Element): string | undefined {
    return this.#announced.has(NS_OCCUPANT_ID) ? readOccupantId(stanza) : undefined;
  }
}

function isOther(before: Occupant, now: Occupant): boolean {
  return (
    before.role !== now.role ||
    before.affiliation !== now.affiliation ||
    before.show !== now.show ||
    before.realJid?.toString() !== now.realJid?.toString()
  );
}
