/** One XMPP account of the bot: what comes in is let through or not, becomes questions and context, and is answered in turn. */
import { createClient, type Client, type Offline } from '../../xmpp-core/client.js';
import { delay } from '../../xmpp-core/deadline.js';
import type { Jid } from '../../xmpp-core/jid/jid.js';
import { subscriptions } from '../../xmpp-core/im/subscriptions.js';
import type { Storage } from '../../xmpp-core/storage.js';
import { serviceDiscovery } from '../../xeps/xep-0030-service-discovery.js';
import { muc, RoomError, type Departure, type Room } from '../../xeps/xep-0045-muc/index.js';
import { chatStates } from '../../xeps/xep-0085-chat-states.js';
import { ping } from '../../xeps/xep-0199-ping.js';
import { httpUpload } from '../../xeps/xep-0363-http-file-upload.js';
import { mucSelfPing } from '../../xeps/xep-0410-muc-self-ping.js';
import { messageReactions } from '../../xeps/xep-0444-message-reactions.js';
import { roomConfig, type AccountConfig } from '../config/config.js';
import type { Conversation, ConversationStore, Pending } from '../conversation/history.js';
import { TurnQueue } from '../conversation/queue.js';
import { errorText, withFields, type Log } from '../log.js';
import { MediaFetcher } from '../media/fetcher.js';
import type { MediaStore } from '../media/store.js';
import { uploadOriginOf } from '../media/upload-origin.js';
import type { Model } from '../model/model.js';
import { directAccess, roomAccess } from './access.js';
import { Answering } from './answering.js';
import { CommandDesk } from './command-desk.js';
import { Denials } from './denials.js';
import { errorKind, remedyFor } from './error-kind.js';
import { Hourly } from './hourly.js';
import { Inbox } from './inbox.js';
import { Limits } from './limits.js';
import { readPlace, type Place } from './place.js';
import { Strangers } from './strangers.js';
import { perform, questionsOf, type Task } from './tasks.js';
import { TokenLedger } from './token-ledger.js';

export interface AccountOptions {
  readonly config: AccountConfig;
  readonly store: ConversationStore;
  readonly storage: Storage;
  /** Where pictures that people sent are kept. */
  readonly media: MediaStore;
  readonly modelOf: (provider: string, model: string) => Model;
  readonly log: Log;
  /** How long to stay away from a room after a kick or a failure, in milliseconds; a minute unless told. */
  readonly rejoinMs?: number;
}

/** What a room is asked for at the first join, for the bot to know what people speak of. */
const FIRST_HISTORY = 20;
const REJOIN_MS = 60_000;
/** Refusals of a room that only a person can lift (XEP-0045 §7.2). */
const REFUSED: ReadonlySet<string> = new Set([
  'forbidden',
  'not-authorized',
  'registration-required',
  'not-allowed',
  'jid-malformed',
]);

/** What a conversation is owed. */
interface Debt extends Pending {
  readonly conversation: Conversation;
}

export class Account {
  readonly #config: AccountConfig;
  readonly #store: ConversationStore;
  readonly #log: Log;
  readonly #rejoinMs: number;
  readonly #client: Client;
  readonly #queue: TurnQueue<Task>;
  readonly #answering: Answering;
  readonly #inbox: Inbox;
  readonly #denials: Denials;
  readonly #strangers: Strangers;
  readonly #ledger: TokenLedger;
  readonly #stopping = new AbortController();
  #stopped: Promise<void> | undefined;

  constructor({ config, store, storage, media, modelOf, log, rejoinMs = REJOIN_MS }: AccountOptions) {
    this.#config = config;
    this.#rejoinMs = rejoinMs;
    this.#store = store;
    this.#log = withFields(log, { account: config.name });
    this.#denials = new Denials(this.#log);
    this.#ledger = new TokenLedger({
      storage,
      account: config.jid.toString(),
      failed: (error) => this.#report(error),
    });
    const limits = new Limits(config.limits, this.#ledger);
    this.#client = createClient({
      jid: config.jid,
      password: config.password.reveal(),
      resource: config.resource,
      plugins: [serviceDiscovery, muc, mucSelfPing, chatStates, ping, httpUpload, messageReactions, subscriptions],
      storage,
      ...(config.server === undefined ? {} : { server: { ...config.server, directTls: config.directTls } }),
      ...(config.websocket === undefined ? {} : { websocket: config.websocket }),
      ...(config.ca === undefined ? {} : { ca: config.ca }),
    });
    this.#answering = new Answering({
      account: config,
      client: this.#client,
      store,
      media,
      modelOf,
      opened: (place, signal) => this.#opened(place, signal),
      stopping: this.#stopping.signal,
      later: (work) => this.#tell(work),
      spent: (payer, { promptTokens, completionTokens }) => limits.spent(payer, promptTokens + completionTokens),
      log: this.#log,
    });
    this.#queue = new TurnQueue<Task>({
      run: (turn) => perform(turn, this.#answering, (questions) => this.#inbox.refuses(questions)),
      failed: (error, turn) => this.#tell(this.#answering.failed(error, questionsOf(turn))),
    });
    const shared = { log: this.#log, account: config, client: this.#client, queue: this.#queue };
    const commands = new CommandDesk({ ...shared, modelOf });
    this.#strangers = new Strangers({ account: config, client: this.#client, storage });
    const uploadOrigin = uploadOriginOf(this.#client);
    const files = new MediaFetcher({ account: config, store: media, uploadOrigin, log: this.#log });
    this.#inbox = new Inbox({
      ...shared,
      store,
      files,
      commands,
      limits,
      denials: this.#denials,
      strangers: this.#strangers,
    });
    this.#listen();
  }

  /**
   * Connects and answers until `stop()`, or until going on is pointless, which has then been logged.
   * @returns why it ended
   */
  async run(): Promise<'stopped' | 'gave up'> {
    const over = new Promise<void>((resolve) => {
      this.#client.events.on('offline', ({ willRetry }) => {
        if (!willRetry) resolve();
      });
    });
    await Promise.all([this.#strangers.load(), this.#ledger.load()]).catch((error: unknown) => this.#report(error));
    // Read before anything new can come: what arrives from now on is taken up as it arrives, and must not be so twice.
    const debts = await this.#debts().catch((error: unknown) => {
      this.#report(error);
      return [];
    });
    this.#client.events.once('online', { signal: this.#stopping.signal }).then(
      () => this.#tell(this.#pay(debts)),
      () => undefined,
    );
    // The reason was told by the `offline` event.
    this.#client.start().catch(() => undefined);
    await over;
    const outcome = this.#stopped === undefined ? 'gave up' : 'stopped';
    await this.stop(0);
    return outcome;
  }

  /** Lets running answers end within `graceMs` milliseconds, says good-bye, and disconnects. */
  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs);
    return this.#stopped;
  }

  async #stop(graceMs: number): Promise<void> {
    await this.#queue.close({ graceMs });
    await this.#ledger.flush();
    this.#stopping.abort();
    await this.#client.stop();
  }

  #listen(): void {
    const { events } = this.#client;
    const rooms = this.#client.get(muc);
    events.on('online', ({ jid, resumed }) => {
      this.#log('info', 'online', { jid: jid.toString(), resumed });
      this.#joinRooms();
    });
    events.on('suspended', ({ reason, retryInMs }) => {
      this.#log('info', 'suspended', { reason: reason?.message ?? null, retryInMs });
    });
    events.on('offline', (offline) => this.#wentOffline(offline));
    events.on('message', (message) => this.#tell(this.#inbox.direct(message)));
    this.#client.get(subscriptions).events.on('requested', ({ contact }) => this.#subscriptionRequested(contact));
    const undelivered = new Hourly();
    events.on('undelivered', ({ from, error }) => {
      // Anybody can send errors, to messages of ours that never were, too.
      if (!undelivered.isDue(from.bare.toString())) return;
      this.#log('warn', 'error', { kind: 'undelivered', to: from.toString(), message: error.message });
    });
    events.on('fault', ({ error, where }) => {
      this.#log('error', 'error', { kind: 'internal', where, message: errorText(error) });
    });
    rooms.events.on('message', (message) => this.#tell(this.#inbox.room(message)));
    rooms.events.on('privateMessage', (message) => this.#tell(this.#inbox.aside(message)));
    rooms.events.on('joined', ({ room, nick }) => this.#log('info', 'joined', { room: room.jid.toString(), nick }));
    rooms.events.on('left', ({ room, why, reason }) => this.#leftRoom(room, why, reason));
    rooms.events.on('joinFailed', ({ room, error }) => this.#joinFailed(room.jid, error));
  }

  /** Nothing that goes wrong on the way is left untold. */
  #tell(work: Promise<void>): void {
    work.catch((error: unknown) => this.#report(error));
  }

  #report(error: unknown): void {
    if (!this.#stopping.signal.aborted) this.#log('error', 'error', { kind: 'internal', message: errorText(error) });
  }

  #wentOffline({ reason, willRetry, retryInMs }: Offline): void {
    if (reason !== undefined) {
      const kind = errorKind(reason);
      // What does not pass by itself is for a person to put right.
      if (willRetry) this.#log('warn', 'error', { kind, message: reason.message });
      else this.#log('error', 'error', { kind, message: `${reason.message}; ${remedyFor(kind, this.#config.name)}` });
    }
    this.#log('info', 'offline', { reason: reason?.message ?? 'stopped', retryInMs: retryInMs ?? null });
  }

  /** Rooms that were joined before are joined again by the plugin; the others are ours to join. */
  #joinRooms(): void {
    for (const jid of this.#config.rooms) {
      if (this.#client.get(muc).rooms.has(jid.bare.toString())) continue;
      const access = roomAccess(this.#config, roomConfig(this.#config, jid));
      if (access.allowed) this.#join(jid);
      else this.#denials.tell(jid.toString(), access.why);
    }
  }

  #join(jid: Jid): void {
    const { nick } = this.#config;
    const password = roomConfig(this.#config, jid).password?.reveal();
    const options = { nick, password, history: { maxStanzas: FIRST_HISTORY } };
    this.#client
      .get(muc)
      .join(jid, options, this.#stopping.signal)
      .catch((error: unknown) => this.#joinFailed(jid, error));
  }

  #joinFailed(jid: Jid, error: unknown): void {
    if (this.#stopping.signal.aborted || this.#client.state !== 'online') return;
    const room = jid.toString();
    const isFinal = error instanceof RoomError && REFUSED.has(error.condition);
    this.#log('error', 'error', {
      kind: 'room',
      room,
      message: `${room} does not let us in: ${errorText(error)}`,
      retryInMs: isFinal ? null : this.#rejoinMs,
    });
    if (!isFinal) this.#joinLater(jid);
  }

  #leftRoom(room: Room, why: Departure, reason: string | undefined): void {
    this.#log('info', 'left', { room: room.jid.toString(), why, reason });
    if (why === 'kicked' || why === 'shutdown' || why === 'error') this.#joinLater(room.jid);
  }

  #joinLater(jid: Jid): void {
    delay(this.#rejoinMs, this.#stopping.signal).then(
      () => {
        const room = this.#client.get(muc).rooms.get(jid.bare.toString());
        if (this.#client.state === 'online' && room?.joined !== true) this.#join(jid);
      },
      () => undefined,
    );
  }

  /** Whoever may write to the bot may see when it is there (RFC 6121 §3.1). */
  #subscriptionRequested(contact: Jid): void {
    const access = directAccess(this.#config, contact, this.#strangers.approved());
    if (access.allowed) this.#client.get(subscriptions).approve(contact);
    else {
      this.#strangers.askedForPresence(contact);
      this.#denials.tell(contact.toString(), access.why);
    }
  }

  /** What was left undone in this account's conversations at the last stop. */
  async #debts(): Promise<readonly Debt[]> {
    const prefix = `${this.#config.jid.toString()}/`;
    const own = (await this.#store.unfinished()).filter((id) => id.startsWith(prefix));
    const conversations = await Promise.all(own.map((id) => this.#store.conversation(id)));
    return conversations.map((conversation) => ({ conversation, ...conversation.pending() }));
  }

  /** What was asked and not answered is answered now; what was answered and not sent is sent. */
  async #pay(debts: readonly Debt[]): Promise<void> {
    for (const { conversation, questions, undelivered } of debts) {
      for (const answer of undelivered) {
        const place = readPlace(answer.reference);
        if (place === undefined || !this.#inbox.admits(place)) await conversation.delivered(answer.id);
        else this.#tell(this.#answering.deliver(conversation, answer, place, this.#stopping.signal));
      }
      for (const question of questions) await this.#inbox.resume(conversation, question);
    }
  }

  async #opened(place: Place, signal: AbortSignal): Promise<void> {
    const room = place.kind === 'direct' ? undefined : place.to.bare.toString();
    const { events, rooms } = this.#client.get(muc);
    for (;;) {
      if (this.#client.state !== 'online') await this.#client.events.once('online', { signal });
      else if (room === undefined || rooms.get(room)?.joined === true) return;
      else await events.once('joined', { signal });
    }
  }
}
