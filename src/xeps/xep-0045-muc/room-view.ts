/** What we know about a room while we are in it: its occupants, which of them we are, its features, and who sent a message. */
import { StanzaError, TimeoutError } from '../../xmpp-core/errors.js';
import type { Jid } from '../../xmpp-core/jid/jid.js';
import { readAvailability, type Message, type Presence } from '../../xmpp-core/stanza/stanzas.js';
import type { Element } from '../../xmpp-core/xml/element.js';
import { readDelay, readDelayBy } from '../xep-0203-delayed-delivery.js';
import { NS_STABLE_IDS, readStanzaId } from '../xep-0359-stable-ids.js';
import { NS_OCCUPANT_ID, readOccupantId } from '../xep-0421-occupant-id.js';
import type { MucUser } from './muc-user.js';
import { MAX_OCCUPANTS, Occupants, type Occupant } from './occupants.js';
import type { EmitRoomEvent, Left, OccupantMessage, RoomEvent, RoomEvents } from './room-events.js';
import { readRoomEvent } from './room-message.js';

/** What the view needs from its room. */
export interface RoomViewOptions {
  readonly jid: Jid;
  /** Our own account, bare. */
  readonly account: Jid;
  /** The nick that we ask for. */
  readonly nick: string;
  /** Changes among the occupants are events only while we are in the room: before that, the room lists who is there. */
  readonly isJoined: () => boolean;
  readonly background: (work: () => unknown) => void;
  readonly emit: EmitRoomEvent;
  readonly readFeatures: (room: Jid, signal: AbortSignal) => Promise<ReadonlySet<string>>;
}

const DISCO_TIMEOUT_MS = 10_000;

/** After the subject, a message that the room itself stamped so recently is a live one. */
const LIVE_MS = 30_000;

/** The view of one room. It outlives a single stay, so that the next join can ask for the messages since. */
export class RoomView {
  /** Our nick as the room knows it; while we are not in the room, the nick that we ask for. */
  nick: string;
  readonly #options: RoomViewOptions;
  readonly #occupants = new Occupants();
  #features: ReadonlySet<string> = new Set();
  #lastMessageAt: Date | undefined;
  /** Whether the subject has come, which ends the history (§7.2.14). */
  #isLive = false;

  constructor(options: RoomViewOptions) {
    this.#options = options;
    this.nick = options.nick;
  }

  /** The occupants by nick. */
  get occupants(): ReadonlyMap<string, Occupant> {
    return this.#occupants.byNick;
  }

  /** Our own occupant. */
  get self(): Occupant | undefined {
    return this.#occupants.byNick.get(this.nick);
  }

  /** The features that the room announces. They decide which of its ids can be trusted. */
  get features(): ReadonlySet<string> {
    return this.#features;
  }

  /** When the last message to the room was sent. */
  get lastMessageAt(): Date | undefined {
    return this.#lastMessageAt;
  }

  /**
   * Asks the room for its features. A room that does not answer has none.
   * @returns the error that it answers with
   * @throws OfflineError, the signal's reason
   */
  async refreshFeatures(signal: AbortSignal = AbortSignal.timeout(DISCO_TIMEOUT_MS)): Promise<StanzaError | undefined> {
    const { jid, readFeatures } = this.#options;
    try {
      this.#features = await readFeatures(jid, signal);
      return undefined;
    } catch (error) {
      if (!(error instanceof StanzaError) && !(error instanceof TimeoutError)) throw error;
      this.#features = new Set();
      return error instanceof StanzaError ? error : undefined;
    }
  }

  /** Takes the presence of an occupant who is there. */
  update(presence: Presence, user: MucUser, isSelf: boolean): void {
    const { emit, isJoined } = this.#options;
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
    if (!isListed && !wasCut) emit('crowded', { limit: MAX_OCCUPANTS });
    if (!isListed || !isJoined()) return;
    if (before === undefined) emit('occupantJoined', { occupant });
    else if (isChanged(before, occupant)) emit('occupantChanged', { occupant, before });
  }

  /** Removes another occupant. */
  remove(nick: string, left: Left): void {
    const occupant = this.#occupants.take(nick);
    if (occupant !== undefined && this.#options.isJoined()) this.#options.emit('occupantLeft', { occupant, ...left });
  }

  /** Gives an occupant another nick. The presence with the new nick follows (§7.6) and is an update. */
  rename(before: string, nick: string, isSelf: boolean): void {
    const occupant = this.#occupants.take(before);
    if (occupant !== undefined) this.#occupants.put({ ...occupant, nick }, isSelf);
    if (isSelf) this.nick = nick;
    if (this.#options.isJoined()) this.#options.emit('renamed', { nick, before, self: isSelf });
  }

  /** Takes a message of the room and emits the event that it is. */
  receive(message: Message): void {
    const event = readRoomEvent(message, this.#options.account, (one) => this.#describe(one));
    if (event === undefined) return;
    if (event.name === 'subject') this.#isLive = true;
    if (event.name === 'message') this.#noteTime(event.payload.delayed);
    // A room with another configuration may announce other features.
    if (event.name === 'configured') this.#options.background(() => this.refreshFeatures());
    this.#emit(event);
  }

  /** Forgets the occupants: the next join lists them again. */
  clear(): void {
    this.#isLive = false;
    this.#occupants.clear();
  }

  #emit<Name extends keyof RoomEvents>(event: RoomEvent<Name>): void {
    this.#options.emit(event.name, event.payload);
  }

  /** A forged time, in the future or long ago, must not decide which history the next join asks for. */
  #noteTime(delayed: Date | undefined): void {
    const at = Math.min(delayed?.getTime() ?? Infinity, Date.now());
    this.#lastMessageAt = new Date(Math.max(at, this.#lastMessageAt?.getTime() ?? 0));
  }

  #describe(message: Message): OccupantMessage {
    const { element } = message;
    const nick = message.from.resource;
    const delayed = this.#sentAt(element);
    const occupantId = this.#occupantIdOf(element);
    const ownId = this.self?.occupantId;
    return {
      nick,
      message,
      occupant: delayed === undefined ? this.#author(nick, occupantId) : undefined,
      occupantId,
      stanzaId: this.#features.has(NS_STABLE_IDS) ? readStanzaId(element, this.#options.jid) : undefined,
      delayed,
      own: occupantId === undefined || ownId === undefined ? nick === this.nick : occupantId === ownId,
    };
  }

  /**
   * When a message of the history was sent; `undefined` for a live one. The room's own delay makes history. The delay of a client or its server
   * says only that the message was slow on its way to the room, but not before the subject: old rooms name the occupant there. Some rooms stamp
   * live messages, too, with the time of that moment.
   */
  #sentAt(message: Element): Date | undefined {
    const delay = this.#isLive ? readDelayBy(message, this.#options.jid) : readDelay(message);
    if (delay === undefined) return undefined;
    const { stamp } = delay;
    const isNow = stamp !== undefined && Date.now() - stamp.getTime() <= LIVE_MS;
    return this.#isLive && isNow ? undefined : (stamp ?? new Date());
  }

  /**
   * The author of a live message, with the occupant id of the message. ejabberd 24.12 gives the creator of a room another id in the presence
   * that creates it, and a later look-up has to find the author. Our own id is the one in our own presence.
   */
  #author(nick: string, occupantId: string | undefined): Occupant | undefined {
    const known = this.#occupants.byNick.get(nick);
    if (known === undefined || occupantId === undefined || nick === this.nick) return known;
    const author = { ...known, occupantId };
    this.#occupants.put(author, false);
    return author;
  }

  /** XEP-0421 §4: if the room does not announce occupant ids, any occupant could have written one. */
  #occupantIdOf(stanza: Element): string | undefined {
    return this.#features.has(NS_OCCUPANT_ID) ? readOccupantId(stanza) : undefined;
  }
}

function isChanged(before: Occupant, now: Occupant): boolean {
  return (
    before.role !== now.role ||
    before.affiliation !== now.affiliation ||
    before.show !== now.show ||
    before.realJid?.toString() !== now.realJid?.toString()
  );
}
