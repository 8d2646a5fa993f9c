/** The rooms of an account: which ones it joins and on whose authority, how it rejoins them, and whether one is closed to it. */
import type { Client } from '../../../xmpp-core/client.js';
import { delay } from '../../../xmpp-core/deadline.js';
import { Events } from '../../../xmpp-core/events.js';
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import type { Storage } from '../../../xmpp-core/storage.js';
import {
  muc,
  RoomError,
  type Departure,
  type Invitation,
  type MucEvents,
  type Room,
  type RoomMessage,
  type RoomRefusal,
} from '../../../xeps/xep-0045-muc/index.js';
import { NS_MAM } from '../../../xeps/xep-0313-message-archive/index.js';
import { bookmarks } from '../../../xeps/xep-0402-bookmarks.js';
import type { Background } from '../../background.js';
import type { RoomSummary } from '../../commands/command.js';
import { roomConfig, type AccountConfig } from '../../config/config.js';
import { errorText, type Log } from '../../log.js';
import { OncePerHour } from '../../once-per-hour.js';
import type { Admission, RoomFacts } from '../access/admission.js';
import type { Denials } from '../access/denials.js';
import { isOperator, isTrustedAbout, type Access } from '../access/rules.js';
import { replyChannelTo } from '../outbound/reply-channel.js';
import { isSameOccupant } from '../places/identities.js';
import type { Place } from '../places/place.js';
import { missedMessages } from './room-archive.js';
import { RoomMemory } from './room-memory.js';
import { joinTrouble, voiceTrouble } from './room-trouble.js';

/** Parts of the rooms. */
export interface RoomsOptions {
  readonly account: AccountConfig;
  readonly client: Client;
  readonly storage: Storage;
  readonly admission: Admission;
  readonly denials: Denials;
  readonly background: Background;
  readonly log: Log;
  /** How long to stay away after a kick or a failure, in milliseconds. */
  readonly rejoinMs: number;
  readonly stopping: AbortSignal;
}

/** How many messages of history the bot requests at its first join, to know what people talk about. */
const FIRST_HISTORY = 20;
/** Refusals of a room that only a person can lift (XEP-0045 §7.2). */
const REFUSED: ReadonlySet<string> = new Set([
  'forbidden',
  'gone',
  'not-authorized',
  'registration-required',
  'not-allowed',
  'jid-malformed',
]);
/** There can be no room at such an address. */
const NO_ROOM: ReadonlySet<RoomRefusal> = new Set<RoomRefusal>(['not-a-room', 'not-a-service']);
/** Another account of the bot may be creating the room; it is open a moment later. */
const LOCKED_MS = 2_000;
const LOCKED_ATTEMPTS = 3;
/** After these the bot rejoins later. After `offline` and `lost` the plugin rejoins. */
const PASSING: ReadonlySet<Departure> = new Set<Departure>(['kicked', 'shutdown', 'error']);
/** After these the bot is no longer wanted, or the room is gone. */
const FINAL: ReadonlySet<Departure> = new Set<Departure>(['banned', 'destroyed', 'membership']);

/** The rooms of one account. */
export class Rooms implements RoomFacts {
  readonly #options: RoomsOptions;
  readonly #memory: RoomMemory;
  /** The rooms that the bot is to be in, by bare JID. */
  readonly #wanted = new Map<string, Jid>();
  /** Rooms that refused the last join for good, by bare JID. */
  readonly #refused = new Set<string>();
  /** Addresses that turned out to be no room, by bare JID: a message from there is an ordinary one. */
  readonly #noRooms = new Set<string>();
  /** The bot is in a room, or knows that it will not be. The payload is a bare JID. */
  readonly #decisions: Events<{ readonly decided: string }>;
  readonly #asked = new OncePerHour();

  constructor(options: RoomsOptions) {
    this.#options = options;
    const { account, storage, background } = options;
    this.#decisions = new Events((error, event) => background.report(event, error));
    this.#memory = new RoomMemory(storage, account.jid, background);
  }

  /** Reads which rooms there are. To be called before the client is started. */
  async load(): Promise<void> {
    const { rooms } = this.#options.account;
    await this.#memory.load(rooms);
    for (const room of [...rooms, ...this.#memory.stays.map((stay) => stay.room)]) {
      this.#wanted.set(room.toString(), room);
    }
  }

  /** Writes to disk what has to survive the process. */
  flush(): Promise<void> {
    return this.#memory.flush();
  }

  has(room: Jid): boolean {
    return this.#room(room) !== undefined;
  }

  vouchedBy(room: Jid): Jid | undefined {
    return this.#memory.stay(room) === undefined ? undefined : this.#options.account.operators[0];
  }

  realJidOf(occupant: Jid): Jid | undefined {
    return this.#room(occupant)?.occupants.get(occupant.resource)?.realJid;
  }

  hasVoice(room: Jid): boolean {
    return this.#room(room)?.self?.role !== 'visitor';
  }

  isSameOccupant(place: Place): boolean {
    return isSameOccupant(this.#options.client, place);
  }

  /** Whether the bot is in a room now. */
  isJoined(room: Jid): boolean {
    return this.#room(room)?.joined === true;
  }

  /** Whether the bot is to be in a room, and may be. */
  wants(room: Jid): boolean {
    return this.#wanted.has(room.bare.toString()) && this.#entry(room).allowed;
  }

  /** Whether the bot cannot enter a room: it is not to be there, or the room refused it in a way that only a person can change. */
  isClosed(room: Jid): boolean {
    return !this.wants(room) || this.#refused.has(room.bare.toString());
  }

  /** Resolves when the bot joins a room, or the room is closed to it; rejects with the signal's reason. */
  async decided(room: Jid, signal: AbortSignal): Promise<void> {
    const key = room.bare.toString();
    await this.#decisions.once('decided', { where: (decided) => decided === key, signal });
  }

  /** Joins the rooms of a new session. Those that were joined before are rejoined by the plugin. Not for a resumed session. */
  enterAll(): void {
    for (const room of this.#wanted.values()) {
      if (this.has(room) || this.#noRooms.has(room.toString())) continue;
      const access = this.#entry(room);
      if (access.allowed) this.#options.background.run('join', () => this.#tryToEnter(room));
      else this.#options.denials.log(room.toString(), access.why);
    }
  }

  /** The rooms that the bot is to be in, with its nick and the number of occupants where it is. */
  list(): readonly RoomSummary[] {
    return [...this.#wanted.values()].map((jid) => {
      const room = this.#room(jid);
      return { jid, nick: room?.joined === true ? room.nick : undefined, occupants: room?.occupants.size ?? 0 };
    });
  }

  /**
   * Joins a room for good, also after a restart, because an operator asks for it.
   * @param password of the room, where its configuration has none
   * @returns why that does not work, for the operator; `undefined` when the bot is there
   */
  async join(jid: Jid, password?: string): Promise<string | undefined> {
    const { account, admission, background } = this.#options;
    const room = jid.bare;
    const key = room.toString();
    const access = admission.room(room, account.operators[0]);
    if (!access.allowed) return `I cannot join: ${access.why}.`;
    if (this.isJoined(room)) return undefined;
    const wasWanted = this.#wanted.has(key);
    this.#wanted.set(key, room);
    // Before the join: an operator has to vouch for the room when its first message arrives.
    if (!wasWanted) await this.#memory.remember({ room, ...given(password), bookmarked: false });
    try {
      await this.#enter(room);
    } catch (error) {
      if (!wasWanted) await this.#giveUp(room);
      return `I cannot join ${key}: ${joinTrouble(error, room, account)}`;
    }
    if (!wasWanted) background.run('bookmark', () => this.#bookmark(room));
    return undefined;
  }

  /** Leaves a room for good. @returns whether the bot was there, or was to be */
  async leave(jid: Jid): Promise<boolean> {
    const room = jid.bare;
    const wasWanted = this.#wanted.has(room.toString());
    await this.#giveUp(room);
    return wasWanted;
  }

  /**
   * Accepts an invitation by an operator. A direct one comes from its sender. One that a room passes on has only the room's word for it,
   * which counts as far as that room is trusted about the operator.
   * @param at when it was sent: an invitation from before the bot left the room no longer counts. Now unless given
   */
  async takeInvitation({ room, by, direct, password }: Invitation, at: Date = new Date()): Promise<void> {
    const { account, admission, client, denials } = this.#options;
    const name = room.toString();
    const leftAt = this.#memory.leftAt(room);
    if (leftAt !== undefined && at < leftAt) return;
    if (by === undefined || !isOperator(account, by)) {
      return denials.log(by?.toString() ?? name, `invites to ${name}, but is not an operator`);
    }
    if (!direct && !isTrustedAbout(account, room, by)) {
      denials.log(name, `forwards an invitation from ${by.bare.toString()} that cannot be verified`);
      const question = `The room ${name} says that you invited me. If you did, send me: /join ${name}`;
      if (this.#asked.isDue(by.bare.toString()))
        replyChannelTo(client, { kind: 'direct', to: by.bare }).notify(question);
      return;
    }
    const access = admission.room(room, by);
    if (!access.allowed) return denials.log(name, access.why);
    const refusal = await this.join(room, password);
    if (refusal !== undefined) this.#options.log('error', 'error', { kind: 'room', room: name, message: refusal });
  }

  #entry(room: Jid): Access {
    return this.#options.admission.room(room, this.vouchedBy(room));
  }

  #room(jid: Jid): Room | undefined {
    return this.#options.client.get(muc).rooms.get(jid.bare.toString());
  }

  async #tryToEnter(room: Jid): Promise<void> {
    try {
      await this.#enter(room);
    } catch (error) {
      this.joinFailed(room, error);
    }
  }

  async #enter(jid: Jid): Promise<void> {
    const { account, client, stopping } = this.#options;
    const password = roomConfig(account, jid).password?.reveal() ?? this.#memory.stay(jid)?.password;
    const since = this.#memory.lastMessageAt(jid);
    const history = since === undefined ? { maxStanzas: FIRST_HISTORY } : { since };
    for (let attempt = 1; ; attempt++) {
      try {
        await client.get(muc).join(jid, { nick: account.nick, password, history }, stopping);
        return;
      } catch (error) {
        if (!isLocked(error) || attempt === LOCKED_ATTEMPTS) throw error;
        await delay(LOCKED_MS, stopping);
      }
    }
  }

  /** The bot is in a room. */
  joined(room: Room, nick: string): void {
    this.#options.log('info', 'joined', { room: room.jid.toString(), nick });
    this.#refused.delete(room.jid.toString());
    this.#decisions.emit('decided', room.jid.toString());
    if (!this.hasVoice(room.jid)) this.#warnOfSilence(room.jid);
  }

  /** An occupant of a room changed, who may be the bot: moderators can take its voice away. */
  changed({ room, occupant, before }: MucEvents['occupantChanged']): void {
    const isOwn = occupant.nick === room.nick && occupant.role !== before.role;
    if (isOwn && !this.hasVoice(room.jid)) this.#warnOfSilence(room.jid);
  }

  #warnOfSilence(room: Jid): void {
    const { account, log } = this.#options;
    log('warn', 'error', { kind: 'room', room: room.toString(), message: voiceTrouble(room, account) });
  }

  /** The messages that the room's archive has of the bot's absence, the oldest first; none where there is no archive. */
  async *missed(room: Room): AsyncGenerator<RoomMessage> {
    const { client, stopping } = this.#options;
    const since = this.#memory.lastMessageAt(room.jid);
    if (since !== undefined && room.features.has(NS_MAM)) yield* missedMessages(client, room, since, stopping);
  }

  /** A message arrived in a room. The next absence begins after it. */
  noteMessage({ room, delayed }: RoomMessage): void {
    this.#memory.noteMessage(room.jid, delayed ?? new Date());
  }

  /** A join failed. Tries again later, unless only a person can change the reason. */
  joinFailed(jid: Jid, error: unknown): void {
    const { account, client, log, rejoinMs, stopping } = this.#options;
    // The next session joins all rooms.
    if (stopping.aborted || client.state === 'offline') return;
    const room = jid.toString();
    const isNoRoom = error instanceof RoomError && NO_ROOM.has(error.why);
    const isFinal = isNoRoom || (error instanceof RoomError && REFUSED.has(error.condition));
    if (isNoRoom) this.#noRooms.add(room);
    log('error', 'error', {
      kind: 'room',
      room,
      message: `cannot join ${room}: ${joinTrouble(error, jid, account)}`,
      retryInMs: isFinal ? null : rejoinMs,
    });
    if (!isFinal) return this.#enterLater(jid);
    this.#refused.add(room);
    this.#decisions.emit('decided', room);
  }

  /** The bot is no longer in a room. */
  left({ room, why, reason, by, destruction }: MucEvents['left']): void {
    const { log, background } = this.#options;
    const alternate = destruction?.alternate?.toString();
    const actor = by?.jid?.toString() ?? by?.nick;
    log('info', 'left', { room: room.jid.toString(), why, reason, by: actor, alternate });
    if (PASSING.has(why)) this.#enterLater(room.jid);
    else if (FINAL.has(why)) background.run('leave', () => this.#giveUp(room.jid));
  }

  #enterLater(jid: Jid): void {
    const { client, background, rejoinMs, stopping } = this.#options;
    background.run('rejoin', async () => {
      await delay(rejoinMs, stopping);
      // A new session joins all rooms, a resumed one does not.
      const session = client.state === 'online' ? undefined : await client.events.once('online', { signal: stopping });
      if (session?.resumed === false || !this.#wanted.has(jid.bare.toString()) || this.isJoined(jid)) return;
      await this.#tryToEnter(jid);
    });
  }

  /** Leaves a room, if the bot is there, and does not rejoin. */
  async #giveUp(room: Jid): Promise<void> {
    this.#wanted.delete(room.toString());
    this.#refused.delete(room.toString());
    this.#options.client.get(muc).leave(room);
    this.#decisions.emit('decided', room.toString());
    const isBookmarked = this.#memory.stay(room)?.bookmarked === true;
    await this.#memory.forget(room);
    if (isBookmarked) await this.#onServer((list) => list.remove(room));
  }

  /** Bookmarks a room for the account's other clients. An existing bookmark belongs to a person and stays unchanged. */
  async #bookmark(room: Jid): Promise<void> {
    const isSet = await this.#onServer(async (list) => {
      const known = (await list.all()).some(({ jid }) => jid.equals(room));
      if (!known) await list.set({ jid: room, autojoin: true, nick: this.#options.account.nick });
      return !known;
    });
    const stay = this.#memory.stay(room);
    if (isSet === true && stay !== undefined) await this.#memory.remember({ ...stay, bookmarked: true });
  }

  /** @returns `undefined` when the server keeps no bookmarks: the bot remembers its rooms itself */
  async #onServer<Result>(
    work: (list: ReturnType<typeof bookmarkList>) => Promise<Result>,
  ): Promise<Result | undefined> {
    try {
      return await work(bookmarkList(this.#options.client));
    } catch (error) {
      this.#options.log('debug', 'bookmarks', { message: errorText(error) });
      return undefined;
    }
  }
}

function bookmarkList(client: Client) {
  return client.get(bookmarks);
}

/** XEP-0045 §7.2.10: nobody can join a room that is being created. */
function isLocked(error: unknown): boolean {
  return error instanceof RoomError && error.condition === 'item-not-found';
}

function given(password: string | undefined): { readonly password?: string } {
  return password === undefined ? {} : { password };
}
