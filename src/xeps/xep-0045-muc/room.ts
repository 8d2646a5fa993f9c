/** One room we are in or want to be in: who is there, who we are there, and how we came to be out of it. */
import type { StanzaErrorCondition, StanzaErrorType } from '../../xmpp-core/error-conditions.js';
import { StanzaError, XmppError } from '../../xmpp-core/errors.js';
import { withDeadline } from '../../xmpp-core/deadline.js';
import type { Jid } from '../../xmpp-core/jid/jid.js';
import type { PluginContext } from '../../xmpp-core/plugin.js';
import { readStanzaError } from '../../xmpp-core/stanza/stanza-error.js';
import { writeMessage, writePresence, type Message, type Presence } from '../../xmpp-core/stanza/stanzas.js';
import type { Element } from '../../xmpp-core/xml/element.js';
import type { Events } from '../../xmpp-core/events.js';
import { readDelay } from '../xep-0203-delayed-delivery.js';
import { NS_STABLE_IDS, readStanzaId } from '../xep-0359-stable-ids.js';
import { NS_OCCUPANT_ID, readOccupantId } from '../xep-0421-occupant-id.js';
import {
  readMucUser,
  Status,
  writeInstantRoom,
  writeMucJoin,
  type Affiliation,
  type HistoryWish,
  type MucUser,
  type Role,
} from './codecs.js';

/** Somebody in a room. */
export interface Occupant {
  readonly nick: string;
  readonly affiliation: Affiliation;
  readonly role: Role;
  /** The real JID, bare, in rooms that show it to us. */
  readonly realJid: Jid | undefined;
  readonly occupantId: string | undefined;
}

/** A message of a room, or a private one of an occupant. */
export interface RoomMessage {
  readonly room: Room;
  readonly nick: string;
  readonly message: Message;
  /** Who holds the nick now; for history this may be somebody else than the author, so it is left out there. */
  readonly occupant: Occupant | undefined;
  readonly occupantId: string | undefined;
  /** The id that the room assigned, in rooms that announce that they do (XEP-0359). */
  readonly stanzaId: string | undefined;
  /** When it was said, for history (§7.2.13). */
  readonly delayed: Date | undefined;
  /** Whether we sent it ourselves. */
  readonly own: boolean;
}

/** Why we are no longer in a room. */
export type Departure = 'left' | 'kicked' | 'banned' | 'destroyed' | 'membership' | 'shutdown' | 'offline' | 'error';

export interface MucEvents {
  joined: { readonly room: Room; readonly nick: string; readonly created: boolean };
  left: { readonly room: Room; readonly why: Departure; readonly reason: string | undefined };
  /** Coming back after a reconnect did not work; `room.join()` may be called again. */
  joinFailed: { readonly room: Room; readonly error: Error };
  /** Something was said in the room. */
  message: RoomMessage;
  /** An occupant spoke to us alone (§7.5). */
  privateMessage: RoomMessage;
  subject: { readonly room: Room; readonly subject: string; readonly nick: string };
  occupantJoined: { readonly room: Room; readonly occupant: Occupant };
  occupantLeft: { readonly room: Room; readonly occupant: Occupant };
}

/** How to be in a room. */
export interface RoomOptions {
  readonly nick: string;
  readonly password?: string | undefined;
  /** What to ask for at the first join; later ones ask for what came since. */
  readonly history?: HistoryWish;
}

const JOIN_TIMEOUT_MS = 30_000;
const DISCO_TIMEOUT_MS = 10_000;
/** How many nicks are tried before a conflict is final. */
const MAX_NICKS = 20;

type State =
  | { readonly name: 'out' }
  | {
      readonly name: 'joining';
      readonly resolve: (selfPresence: Element) => void;
      readonly reject: (error: Error) => void;
    }
  | { readonly name: 'in' };

type Joining = State & { readonly name: 'joining' };

const OUT: State = { name: 'out' };

export class Room {
  readonly jid: Jid;
  readonly #context: PluginContext;
  readonly #events: Events<MucEvents>;
  readonly #features: (room: Jid, signal: AbortSignal) => Promise<ReadonlySet<string>>;
  readonly #occupants = new Map<string, Occupant>();
  #options: RoomOptions;
  #state: State = OUT;
  #nick: string;
  #ownOccupantId: string | undefined;
  #announced: ReadonlySet<string> = new Set();
  #lastSeen: Date | undefined;

  constructor(
    jid: Jid,
    options: RoomOptions,
    context: PluginContext,
    events: Events<MucEvents>,
    features: (room: Jid, signal: AbortSignal) => Promise<ReadonlySet<string>>,
  ) {
    this.jid = jid;
    this.#options = options;
    this.#nick = options.nick;
    this.#context = context;
    this.#events = events;
    this.#features = features;
  }

  /** Our nick in this room as the room knows it; the wish while we are not in it. */
  get nick(): string {
    return this.#nick;
  }

  get joined(): boolean {
    return this.#state.name === 'in';
  }

  /** The occupants by nick, ourselves included. */
  get occupants(): ReadonlyMap<string, Occupant> {
    return this.#occupants;
  }

  /**
   * Enters the room, with the next free nick when ours is taken (`bot`, `bot-2` …). A room that this creates is accepted
   * as it is (§10.1.2).
   * @throws StanzaError when the room refuses, TimeoutError, XmppError when it is left or the connection lost meanwhile, or the
   * signal's reason
   */
  async join(signal?: AbortSignal): Promise<void> {
    if (this.#state.name !== 'out') throw new XmppError(`${this.jid.toString()} is being joined already`);
    const { nick: wish } = this.#options;
    for (let attempt = 1; ; attempt++) {
      this.#nick = attempt === 1 ? wish : `${wish}-${attempt}`;
      try {
        const selfPresence = await withDeadline(`joining ${this.jid.toString()}`, JOIN_TIMEOUT_MS, signal, (bounded) =>
          this.#enter(bounded),
        );
        await this.#entered(selfPresence);
        return;
      } catch (error) {
        this.#withdraw(error);
        if (!(error instanceof StanzaError) || error.condition !== 'conflict' || attempt === MAX_NICKS) throw error;
      }
    }
  }

  /** What the next join is to ask for. */
  prepare(options: RoomOptions): void {
    this.#options = options;
  }

  /** Says something to the room. @returns the id of the message */
  say(body: string, payloads: readonly (Element | undefined)[] = []): string {
    return this.#send(writeMessage({ to: this.jid, type: 'groupchat', body, payloads }));
  }

  /** Leaves the room in order (§7.14). */
  leave(): void {
    const state = this.#state;
    if (state.name === 'joining') state.reject(new XmppError(`${this.jid.toString()} was left before it was joined`));
    if (state.name !== 'in') return;
    this.#sayGoodbye();
    this.#out('left', undefined);
  }

  /** The connection is gone, and with it our presence in the room. */
  disconnected(): void {
    const state = this.#state;
    if (state.name === 'joining') state.reject(new XmppError('the connection was lost while joining'));
    else if (state.name === 'in') this.#out('offline', undefined);
  }

  /** Takes a presence of this room. */
  takePresence(presence: Presence): void {
    if (this.#state.name === 'out') return;
    if (presence.type === 'error') {
      if (this.#state.name === 'joining') this.#state.reject(readStanzaError(presence.element));
      return;
    }
    const user = readMucUser(presence.element);
    const nick = presence.from.resource;
    // A room speaks of itself under its bare JID, which is nobody in it.
    if (user === undefined || nick === '') return;
    // Only status 110 says who we are: the nick may have been changed by the room (§7.2.3, 210).
    const self = user.statuses.has(Status.self);
    if (presence.type === 'available') this.#seen(nick, user, self, presence.element);
    else if (presence.type === 'unavailable') this.#gone(nick, user, self);
  }

  /** Takes a message of this room. */
  takeMessage(message: Message): void {
    if (this.#state.name !== 'in') return;
    const nick = message.from.resource;
    if (message.type !== 'groupchat') {
      if (nick !== '' && message.body !== undefined) this.#events.emit('privateMessage', this.#describe(nick, message));
      return;
    }
    const subject = message.element.childText('subject');
    // §8.1: a subject is told by a message without a body; with one it is the topic of a talk.
    if (subject !== undefined && message.body === undefined) {
      this.#events.emit('subject', { room: this, subject, nick });
      return;
    }
    const described = this.#describe(nick, message);
    // A forged time, in the future or long ago, must not decide what history is asked for when we come back.
    const said = Math.min(described.delayed?.getTime() ?? Infinity, Date.now());
    this.#lastSeen = new Date(Math.max(said, this.#lastSeen?.getTime() ?? 0));
    if (nick !== '') this.#events.emit('message', described);
  }

  #enter(signal: AbortSignal): Promise<Element> {
    return new Promise<Element>((resolve, reject) => {
      const joining: Joining = { name: 'joining', resolve, reject };
      this.#state = joining;
      this.#knock(joining, signal).catch(reject);
    });
  }

  async #knock(joining: Joining, signal: AbortSignal): Promise<void> {
    // What the room announces decides which of its ids can be believed, so it is asked before the first message comes.
    this.#announced = await this.#features(this.jid, signal).catch(() => new Set<string>());
    // Meanwhile the join may have been given up.
    if (this.#state !== joining || signal.aborted) return;
    const { password } = this.#options;
    const history = this.#lastSeen === undefined ? this.#options.history : { since: this.#lastSeen };
    const payload = writeMucJoin({ password, ...(history === undefined ? {} : { history }) });
    this.#context.send(writePresence({ to: this.jid.withResource(this.#nick), payloads: [payload] }));
  }

  /** Accepts the room when our coming created it. */
  async #entered(selfPresence: Element): Promise<void> {
    const user = readMucUser(selfPresence);
    if (user?.statuses.has(Status.created) !== true) return;
    // Before it existed the room could announce nothing, so who we are in it is read again.
    await this.#context.iq({ to: this.jid, type: 'set', payload: writeInstantRoom() });
    const signal = AbortSignal.timeout(DISCO_TIMEOUT_MS);
    this.#announced = await this.#features(this.jid, signal).catch(() => new Set<string>());
    if (this.#state.name !== 'in') throw new XmppError(`${this.jid.toString()} was left before it was set up`);
    this.#seen(this.#nick, user, true, selfPresence);
    this.#events.emit('joined', { room: this, nick: this.#nick, created: true });
  }

  /** After a join that failed. Unless the room itself refused, it may have let us in, or be about to. */
  #withdraw(error: unknown): void {
    const isRefusal = error instanceof StanzaError && this.#state.name !== 'in';
    this.#forget();
    if (!isRefusal && this.#context.silentMs() !== undefined) this.#sayGoodbye();
  }

  #sayGoodbye(): void {
    this.#context.send(writePresence({ to: this.jid.withResource(this.#nick), type: 'unavailable' }));
  }

  #seen(nick: string, user: MucUser, self: boolean, presence: Element): void {
    const occupant: Occupant = {
      nick,
      affiliation: user.affiliation,
      role: user.role,
      realJid: user.jid?.bare,
      occupantId: this.#announced.has(NS_OCCUPANT_ID) ? readOccupantId(presence) : undefined,
    };
    const known = this.#occupants.has(nick);
    this.#occupants.set(nick, occupant);
    if (self) {
      this.#nick = nick;
      this.#ownOccupantId = occupant.occupantId;
    }
    if (self && this.#state.name === 'joining') {
      const { resolve } = this.#state;
      this.#state = { name: 'in' };
      // At once, so that whoever listens knows of the room before its first message; a new room is not ready yet.
      if (!user.statuses.has(Status.created)) this.#events.emit('joined', { room: this, nick, created: false });
      resolve(presence);
    } else if (!known && this.#state.name === 'in') {
      this.#events.emit('occupantJoined', { room: this, occupant });
    }
  }

  #gone(nick: string, user: MucUser, self: boolean): void {
    const occupant = this.#occupants.get(nick);
    this.#occupants.delete(nick);
    if (user.statuses.has(Status.nickChanged) && user.nick !== undefined) {
      // The presence under the new nick follows (§7.6); ours is known to us from here on.
      if (self) this.#nick = user.nick;
    } else if (self || user.destroyed) {
      const state = this.#state;
      const why = departure(user);
      if (state.name === 'joining') state.reject(new StanzaError(...REFUSALS[why], user.reason));
      else this.#out(why, user.reason);
    } else if (occupant !== undefined && this.#state.name === 'in') {
      this.#events.emit('occupantLeft', { room: this, occupant });
    }
  }

  #describe(nick: string, message: Message): RoomMessage {
    const { element } = message;
    const delayed = readDelay(element)?.stamp;
    const occupantId = this.#announced.has(NS_OCCUPANT_ID) ? readOccupantId(element) : undefined;
    return {
      room: this,
      nick,
      message,
      occupant: delayed === undefined ? this.#occupants.get(nick) : undefined,
      occupantId,
      stanzaId: this.#announced.has(NS_STABLE_IDS) ? readStanzaId(element, this.jid) : undefined,
      delayed,
      own:
        occupantId === undefined || this.#ownOccupantId === undefined
          ? nick === this.#nick
          : occupantId === this.#ownOccupantId,
    };
  }

  #send(message: Element): string {
    if (this.#state.name !== 'in') throw new XmppError(`we are not in ${this.jid.toString()}`);
    this.#context.send(message);
    return message.attr('id') ?? '';
  }

  #out(why: Departure, reason: string | undefined): void {
    this.#forget();
    this.#events.emit('left', { room: this, why, reason });
  }

  /** Who was there is not known any more: a later join tells it anew. */
  #forget(): void {
    this.#state = OUT;
    this.#occupants.clear();
    this.#ownOccupantId = undefined;
  }
}

/** Why an unavailable presence of ours was sent by the room (§7.14, §8.2, §9.1, §9.4, §10.9). */
function departure({ statuses, destroyed }: MucUser): Departure {
  if (destroyed) return 'destroyed';
  if (statuses.has(Status.banned)) return 'banned';
  // 333 comes with 307 on some servers; a technical problem is not a person's will.
  if (statuses.has(Status.technical)) return 'error';
  if (statuses.has(Status.kicked)) return 'kicked';
  if (statuses.has(Status.affiliationLost) || statuses.has(Status.membersOnly)) return 'membership';
  if (statuses.has(Status.shutdown)) return 'shutdown';
  return 'left';
}

/** What a departure while still joining means for the join. */
const REFUSALS: Readonly<Record<Departure, readonly [StanzaErrorType, StanzaErrorCondition]>> = {
  left: ['wait', 'recipient-unavailable'],
  kicked: ['wait', 'not-allowed'],
  banned: ['auth', 'forbidden'],
  destroyed: ['wait', 'gone'],
  membership: ['auth', 'registration-required'],
  shutdown: ['wait', 'recipient-unavailable'],
  offline: ['wait', 'recipient-unavailable'],
  error: ['wait', 'recipient-unavailable'],
};
