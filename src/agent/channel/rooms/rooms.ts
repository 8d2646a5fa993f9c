/** The rooms of an account: into which it goes, by whose word, how it comes back, and what it learns of what was said meanwhile. */
import type { Client } from '../../../xmpp-core/client.js';
import { delay } from '../../../xmpp-core/deadline.js';
import { StanzaError } from '../../../xmpp-core/errors.js';
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
} from '../../../xeps/xep-0045-muc/index.js';
import {
  ArchiveError,
  messageArchive,
  NS_MAM,
  type ArchivedMessage,
} from '../../../xeps/xep-0313-message-archive/index.js';
import { NS_STABLE_IDS } from '../../../xeps/xep-0359-stable-ids.js';
import { bookmarks } from '../../../xeps/xep-0402-bookmarks.js';
import { NS_OCCUPANT_ID, readOccupantId } from '../../../xeps/xep-0421-occupant-id.js';
import type { RoomSummary } from '../../commands/command.js';
import { roomConfig, type AccountConfig } from '../../config/config.js';
import { errorText, type Log } from '../../log.js';
import { isOperator, isTrustedAbout, roomAccess, type Access } from '../access/rules.js';
import type { RoomDesk } from '../commands/command-context.js';
import type { Denials } from '../access/denials.js';
import { OncePerHour } from '../access/rate-limited-log.js';
import { replyChannelTo } from '../outbound/reply-channel.js';
import { RoomMemory } from './room-memory.js';

export interface RoomsOptions {
  readonly account: AccountConfig;
  readonly client: Client;
  readonly storage: Storage;
  readonly denials: Denials;
  readonly log: Log;
  /** How long to stay away after a kick or a failure, in milliseconds. */
  readonly rejoinMs: number;
  readonly stopping: AbortSignal;
  /** Takes what was said in a room. */
  readonly heard: (said: RoomMessage) => Promise<void>;
  /** Takes work that nobody waits for; its failure is told to the log. */
  readonly tell: (work: Promise<void>) => void;
}

/** What a room is asked for at the first join, for the bot to know what people speak of. */
const FIRST_HISTORY = 20;
/** What is read at most of the archive of a room, after an absence: the newest. */
const MAX_MISSED = 100;
/** Refusals of a room that only a person can lift (XEP-0045 §7.2). */
const REFUSED: ReadonlySet<string> = new Set([
  'forbidden',
  'gone',
  'not-authorized',
  'registration-required',
  'not-allowed',
  'jid-malformed',
]);
/** Where another account of ours makes the room, it lets us in a moment later. */
const LOCKED_MS = 2_000;
const LOCKED_ATTEMPTS = 3;
/** After these we come back by and by; after `offline` and `lost` the plugins see to it. */
const PASSING: ReadonlySet<Departure> = new Set<Departure>(['kicked', 'shutdown', 'error']);
/** After these we are no longer wanted, or there is nothing to come back to. */
const FINAL: ReadonlySet<Departure> = new Set<Departure>(['banned', 'destroyed', 'membership']);

export class Rooms implements RoomDesk {
  readonly #options: RoomsOptions;
  readonly #memory: RoomMemory;
  /** By bare JID. */
  readonly #wanted = new Map<string, Jid>();
  /** Those that were refused for good when we last came. By bare JID. */
  readonly #refused = new Set<string>();
  /** Whether we are in a room, or are not going to be, is known. By bare JID. */
  readonly #decisions: Events<{ readonly decided: string }>;
  readonly #asked = new OncePerHour();

  constructor(options: RoomsOptions) {
    this.#options = options;
    const { account, client, storage, tell, log } = options;
    this.#decisions = new Events((error) => log('error', 'error', { kind: 'internal', message: errorText(error) }));
    this.#memory = new RoomMemory(storage, account.jid, tell);
    const { events } = client.get(muc);
    events.on('joined', ({ room, nick }) => this.#joined(room, nick));
    events.on('left', (left) => this.#left(left));
    events.on('joinFailed', ({ room, error }) => this.#joinFailed(room.jid, error));
    events.on('invited', (invitation) => tell(this.takeInvitation(invitation)));
    events.on('message', (said) => {
      this.#memory.heard(said.room.jid, said.delayed ?? new Date());
      tell(options.heard(said));
    });
  }

  /** Before the client is started: which rooms there are. */
  async load(): Promise<void> {
    const { rooms } = this.#options.account;
    await this.#memory.load(rooms);
    for (const room of [...rooms, ...this.#memory.stays.map((stay) => stay.room)]) {
      this.#wanted.set(room.toString(), room);
    }
  }

  /** Writes down what has to outlive the process. */
  flush(): Promise<void> {
    return this.#memory.flush();
  }

  /** Who vouches for a room past the list: an operator, where one had the bot join it. */
  vouchedBy(room: Jid): Jid | undefined {
    return this.#memory.stay(room) === undefined ? undefined : this.#options.account.operators[0];
  }

  /** Whether the bot is to be in a room, and may be. */
  wants(room: Jid): boolean {
    return this.#wanted.has(room.bare.toString()) && this.#entry(room).allowed;
  }

  /** Whether there is no way into a room: it is not ours, or let us in no more, and only a person can change that. */
  isClosed(room: Jid): boolean {
    return !this.wants(room) || this.#refused.has(room.bare.toString());
  }

  /** Resolves when we come into a room, or it is closed to us; rejects with the signal's reason. */
  async decided(room: Jid, signal: AbortSignal): Promise<void> {
    const key = room.bare.toString();
    await this.#decisions.once('decided', { where: (decided) => decided === key, signal });
  }

  /** For each session that was not resumed. Rooms that were joined before are joined again by the plugin; the others are ours to join. */
  enterAll(): void {
    const { client, denials } = this.#options;
    for (const room of this.#wanted.values()) {
      if (client.get(muc).rooms.has(room.toString())) continue;
      const access = this.#entry(room);
      if (access.allowed) this.#enter(room).catch((error: unknown) => this.#joinFailed(room, error));
      else denials.tell(room.toString(), access.why);
    }
  }

  list(): readonly RoomSummary[] {
    const { rooms } = this.#options.client.get(muc);
    return [...this.#wanted].map(([key, jid]) => {
      const room = rooms.get(key);
      return { jid, nick: room?.joined === true ? room.nick : undefined, occupants: room?.occupants.size ?? 0 };
    });
  }

  /** An operator wants that. @param password of the room, where its configuration has none */
  async join(jid: Jid, password?: string): Promise<string | undefined> {
    const { account, client } = this.#options;
    const room = jid.bare;
    const key = room.toString();
    const access = roomAccess(account, roomConfig(account, room), account.operators[0]);
    if (!access.allowed) return `I cannot join: ${access.why}.`;
    if (client.get(muc).rooms.get(key)?.joined === true) return undefined;
    const wasWanted = this.#wanted.has(key);
    this.#wanted.set(key, room);
    // Before we are there: what is said at once is to be heard by its word.
    if (!wasWanted) await this.#memory.remember({ room, ...given(password), bookmarked: false });
    try {
      await this.#enter(room);
    } catch (error) {
      if (!wasWanted) await this.#giveUp(room);
      return `I cannot join ${key}: ${errorText(error)}`;
    }
    if (!wasWanted) this.#options.tell(this.#bookmark(room));
    return undefined;
  }

  async leave(jid: Jid): Promise<boolean> {
    const room = jid.bare;
    const wasWanted = this.#wanted.has(room.toString());
    await this.#giveUp(room);
    return wasWanted;
  }

  /**
   * An operator's invitation is accepted. A direct one says itself whom it is from. In one that a room passes on that is the room's word,
   * which counts as far as that room is trusted about the operator.
   * @param at when it came, of one that an archive has: what was asked before the bot left the room is over
   */
  async takeInvitation({ room, by, direct, password }: Invitation, at: Date = new Date()): Promise<void> {
    const { account, client, denials } = this.#options;
    const name = room.toString();
    const leftAt = this.#memory.leftAt(room);
    if (leftAt !== undefined && at < leftAt) return;
    if (by === undefined || !isOperator(account, by)) {
      return denials.tell(by?.toString() ?? name, `invites to ${name}, but is not an operator`);
    }
    if (!direct && !isTrustedAbout(account, room, by)) {
      denials.tell(name, `forwards an invitation from ${by.bare.toString()} that cannot be verified`);
      const question = `The room ${name} says that you invited me. If you did, send me: /join ${name}`;
      if (this.#asked.isDue(by.bare.toString()))
        replyChannelTo(client, { kind: 'direct', to: by.bare }).remark(question);
      return;
    }
    const access = roomAccess(account, roomConfig(account, room), by);
    if (!access.allowed) return denials.tell(name, access.why);
    const refusal = await this.join(room, password);
    if (refusal !== undefined) this.#options.log('error', 'error', { kind: 'room', room: name, message: refusal });
  }

  #entry(room: Jid): Access {
    const { account } = this.#options;
    return roomAccess(account, roomConfig(account, room), this.vouchedBy(room));
  }

  async #enter(jid: Jid): Promise<void> {
    const { account, client, stopping } = this.#options;
    const password = roomConfig(account, jid).password?.reveal() ?? this.#memory.stay(jid)?.password;
    const since = this.#memory.heardAt(jid);
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

  #joined(room: Room, nick: string): void {
    const { log, tell } = this.#options;
    log('info', 'joined', { room: room.jid.toString(), nick });
    this.#refused.delete(room.jid.toString());
    this.#decisions.emit('decided', room.jid.toString());
    const since = this.#memory.heardAt(room.jid);
    if (since !== undefined && room.features.has(NS_MAM)) tell(this.#readArchive(room, since));
  }

  /** What the room sends of its history may be less than it keeps. What comes both ways is known by its id. */
  async #readArchive(room: Room, start: Date): Promise<void> {
    const { client, heard, stopping } = this.#options;
    const archive = client.get(messageArchive);
    const missed: ArchivedMessage[] = [];
    const query = { archive: room.jid, start, order: 'newest-first', limit: MAX_MISSED, signal: stopping } as const;
    try {
      for await (const one of archive.messages(query)) missed.push(one);
    } catch (error) {
      // Some rooms show it to members only.
      if (!(error instanceof StanzaError || error instanceof ArchiveError)) throw error;
    }
    for (const one of missed.toReversed()) await heard(asSaid(room, one));
  }

  #joinFailed(jid: Jid, error: unknown): void {
    const { client, log, rejoinMs, stopping } = this.#options;
    // The next session joins all rooms.
    if (stopping.aborted || client.state === 'offline') return;
    const room = jid.toString();
    const isFinal = error instanceof RoomError && REFUSED.has(error.condition);
    log('error', 'error', {
      kind: 'room',
      room,
      message: `cannot join ${room}: ${errorText(error)}`,
      retryInMs: isFinal ? null : rejoinMs,
    });
    if (!isFinal) return this.#enterLater(jid);
    this.#refused.add(room);
    this.#decisions.emit('decided', room);
  }

  #left({ room, why, reason, by, destruction }: MucEvents['left']): void {
    const { log, tell } = this.#options;
    const alternate = destruction?.alternate?.toString();
    const actor = by?.jid?.toString() ?? by?.nick;
    log('info', 'left', { room: room.jid.toString(), why, reason, by: actor, alternate });
    if (PASSING.has(why)) this.#enterLater(room.jid);
    else if (FINAL.has(why)) tell(this.#giveUp(room.jid));
  }

  #enterLater(jid: Jid): void {
    const { client, rejoinMs, stopping } = this.#options;
    const isOurs = async (): Promise<boolean> => {
      await delay(rejoinMs, stopping);
      // A session that begins anew has its rooms joined; one that is taken up again has not.
      const session = client.state === 'online' ? undefined : await client.events.once('online', { signal: stopping });
      if (session?.resumed === false) return false;
      const room = jid.bare.toString();
      return this.#wanted.has(room) && client.get(muc).rooms.get(room)?.joined !== true;
    };
    isOurs().then(
      (isDue) => {
        if (isDue) this.#enter(jid).catch((error: unknown) => this.#joinFailed(jid, error));
      },
      // The bot stops.
      () => undefined,
    );
  }

  /** Goes, if we are there, and does not come back. */
  async #giveUp(room: Jid): Promise<void> {
    this.#wanted.delete(room.toString());
    this.#refused.delete(room.toString());
    this.#options.client.get(muc).leave(room);
    this.#decisions.emit('decided', room.toString());
    const isBookmarked = this.#memory.stay(room)?.bookmarked === true;
    await this.#memory.forget(room);
    if (isBookmarked) await this.#onServer((list) => list.remove(room));
  }

  /** For the other clients of the account. A bookmark that is there already is a person's, and stays as it is. */
  async #bookmark(room: Jid): Promise<void> {
    const isSet = await this.#onServer(async (list) => {
      const known = (await list.all()).some(({ jid }) => jid.equals(room));
      if (!known) await list.set({ jid: room, autojoin: true, nick: this.#options.account.nick });
      return !known;
    });
    const stay = this.#memory.stay(room);
    if (isSet === true && stay !== undefined) await this.#memory.remember({ ...stay, bookmarked: true });
  }

  /** @returns `undefined` where the server keeps no bookmarks; the bot remembers its rooms itself */
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

/** A message of a room's archive as if the room had sent it with its history. */
export function asSaid(room: Room, { id, at = new Date(), message }: ArchivedMessage): RoomMessage {
  const nick = message.from.resource;
  // Where the room does not say that it gives ids, they are anybody's (XEP-0421 §4, XEP-0359 §6).
  const occupantId = room.features.has(NS_OCCUPANT_ID) ? readOccupantId(message.element) : undefined;
  const ownId = room.self?.occupantId;
  return {
    room,
    nick,
    message,
    occupant: undefined,
    occupantId,
    stanzaId: room.features.has(NS_STABLE_IDS) ? id : undefined,
    delayed: at,
    own: occupantId === undefined || ownId === undefined ? nick === room.nick : occupantId === ownId,
  };
}

/** XEP-0045 §7.2.10: nobody gets into a room that is being made. */
function isLocked(error: unknown): boolean {
  return error instanceof RoomError && error.condition === 'item-not-found';
}

function given(password: string | undefined): { readonly password?: string } {
  return password === undefined ? {} : { password };
}
