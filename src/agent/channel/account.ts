/** One XMPP account of the bot: what comes in is let through or not, becomes questions and context, and is answered in turn. */
import type { Client, Offline } from '../../xmpp-core/client.js';
import type { Storage } from '../../xmpp-core/storage.js';
import { muc } from '../../xeps/xep-0045-muc/index.js';
import { carbons } from '../../xeps/xep-0280-message-carbons.js';
import type { AccountConfig, Config } from '../config/config.js';
import type { Conversation, ConversationStore, Pending, Undelivered } from '../conversation/history.js';
import { TurnQueue, type Turn } from '../conversation/queue.js';
import { errorText, withFields, type Log } from '../log.js';
import { MediaFetcher } from '../media/fetcher.js';
import type { MediaStore } from '../media/store.js';
import type { Model } from '../model/model.js';
import { SkillShelf } from '../skills/skill-shelf.js';
import { presenceAccess } from './access/rules.js';
import { accountClient } from './client/account-client.js';
import { Answering } from './turns/answering.js';
import { Profile } from './profile/profile.js';
import { offerAdHocCommands } from './commands/ad-hoc-commands.js';
import { CommandDesk } from './commands/command-desk.js';
import { Denials } from './access/denials.js';
import { errorKind, remedyFor } from './error-kind.js';
import { OncePerHour } from './access/rate-limited-log.js';
import { Inbox } from './inbound/inbox.js';
import { Limits } from './access/limits.js';
import { CatchUp } from './inbound/catch-up.js';
import { modelChoices } from './turns/model-choice.js';
import { readPlace, type Place } from './places/place.js';
import { Rooms } from './rooms/rooms.js';
import { ContactRequests } from './access/contact-requests.js';
import { perform, questionsOf, type Question, type Task } from './turns/tasks.js';
import { TokenLedger } from './access/token-ledger.js';
import { uploadOriginOf } from './inbound/upload-origin.js';
import { PresenceSubscribers } from './access/presence-subscribers.js';

export interface AccountOptions {
  readonly config: AccountConfig;
  readonly store: ConversationStore;
  readonly storage: Storage;
  /** Where pictures that people sent are kept. */
  readonly media: MediaStore;
  readonly modelOf: (provider: string, model: string) => Model;
  /** By name; their models can be chosen. */
  readonly providers: Config['providers'];
  /** Folders of skills. */
  readonly skillPaths: Config['skillPaths'];
  readonly log: Log;
  /** How long to stay away from a room after a kick or a failure, in milliseconds; a minute unless told. */
  readonly rejoinMs?: number;
}

const REJOIN_MS = 60_000;

/** What a conversation is owed. */
interface Debt extends Pending {
  readonly conversation: Conversation;
}

export class Account {
  readonly #config: AccountConfig;
  readonly #store: ConversationStore;
  readonly #log: Log;
  readonly #client: Client;
  readonly #queue: TurnQueue<Task>;
  readonly #answering: Answering;
  readonly #inbox: Inbox;
  readonly #denials: Denials;
  readonly #strangers: ContactRequests;
  readonly #watchers: PresenceSubscribers;
  readonly #ledger: TokenLedger;
  readonly #rooms: Rooms;
  readonly #missed: CatchUp;
  readonly #appearance: Profile;
  readonly #stopping = new AbortController();
  #stopped: Promise<void> | undefined;

  constructor({
    config,
    store,
    storage,
    media,
    modelOf,
    providers,
    skillPaths,
    log,
    rejoinMs = REJOIN_MS,
  }: AccountOptions) {
    this.#config = config;
    this.#store = store;
    this.#log = withFields(log, { account: config.name });
    this.#denials = new Denials(this.#log);
    this.#ledger = new TokenLedger({
      storage,
      account: config.jid.toString(),
      failed: (error) => this.#report(error),
    });
    const limits = new Limits(config.limits, this.#ledger);
    this.#client = accountClient(
      config,
      storage,
      (requester) => presenceAccess(config, requester, this.#strangers.approved()).allowed,
    );
    this.#appearance = new Profile({ account: config, client: this.#client, storage });
    this.#rooms = new Rooms({
      account: config,
      client: this.#client,
      storage,
      denials: this.#denials,
      log: this.#log,
      rejoinMs,
      stopping: this.#stopping.signal,
      heard: (said) => this.#inbox.room(said),
      tell: (work) => this.#tell(work),
    });
    this.#missed = new CatchUp({
      account: config,
      client: this.#client,
      storage,
      stopping: this.#stopping.signal,
      message: (message) => this.#inbox.direct(message),
      invitation: (invitation, at) => this.#rooms.takeInvitation(invitation, at),
    });
    const models = modelChoices(config, providers);
    const skills = new SkillShelf(skillPaths, (message) => this.#log('warn', 'error', { kind: 'skill', message }));
    this.#answering = new Answering({
      account: config,
      client: this.#client,
      store,
      media,
      modelOf,
      models,
      skills,
      opened: (place, signal) => this.#opened(place, signal),
      isStillThere: (place) => !this.#isClosed(place) && this.#inbox.isStillThere(place),
      stopping: this.#stopping.signal,
      later: (work) => this.#tell(work),
      spent: (payer, { promptTokens, completionTokens }) => limits.spent(payer, promptTokens + completionTokens),
      log: this.#log,
    });
    this.#queue = new TurnQueue<Task>({
      run: (turn) => perform(turn, this.#answering, (questions) => this.#refuses(questions)),
      failed: (error, turn) => this.#tell(this.#answering.failed(error, questionsOf(turn))),
    });
    const shared = { log: this.#log, account: config, client: this.#client, queue: this.#queue };
    this.#watchers = new PresenceSubscribers({
      account: config,
      client: this.#client,
      denials: this.#denials,
      approved: () => this.#strangers.approved(),
      failed: (error) => this.#serverFailed(error),
    });
    this.#strangers = new ContactRequests({ account: config, client: this.#client, storage, watchers: this.#watchers });
    const rules = { limits, denials: this.#denials, strangers: this.#strangers };
    const commands = new CommandDesk({
      ...shared,
      ...rules,
      opened: (place) => this.#opened(place, this.#stopping.signal),
      later: (work) => this.#tell(work),
      modelOf,
      models,
      rooms: this.#rooms,
      skillsOf: (names) => skills.named(names),
    });
    offerAdHocCommands({ ...shared, ...rules, store, commands });
    const uploadOrigin = uploadOriginOf(this.#client);
    const files = new MediaFetcher({ account: config, store: media, uploadOrigin, log: this.#log });
    this.#inbox = new Inbox({
      ...shared,
      ...rules,
      vouchedBy: (room) => this.#rooms.vouchedBy(room),
      store,
      storage,
      files,
      commands,
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
    const kept = [this.#strangers, this.#ledger, this.#rooms, this.#inbox];
    const prepared = [...kept.map((one) => one.load()), this.#appearance.prepare()];
    await Promise.all(prepared).then(
      () => this.#watchers.keepToTheRules(),
      (error: unknown) => this.#report(error),
    );
    // Read before anything new can come: what arrives from now on is taken up as it arrives, and must not be so twice.
    const debts = await this.#debts().catch((error: unknown) => {
      this.#report(error);
      return [];
    });
    this.#client.events.once('online', { signal: this.#stopping.signal }).then(
      () => {
        for (const debt of debts) this.#tell(this.#pay(debt));
      },
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
    // What cannot be written down must not keep us from saying good-bye.
    const written = [this.#ledger.flush(), this.#rooms.flush()];
    await Promise.all(written.map((one) => one.catch((error: unknown) => this.#report(error))));
    this.#stopping.abort();
    await this.#client.stop();
    // Whoever goes on with these conversations finds all that came in them.
    await this.#inbox.settled();
  }

  #listen(): void {
    const { events } = this.#client;
    events.on('online', ({ jid, resumed }) => {
      this.#log('info', 'online', { jid: jid.toString(), resumed });
      this.#watchers.online();
      // A session that was resumed is in its rooms still, and missed nothing.
      if (!resumed) this.#begin();
    });
    events.on('suspended', ({ reason, retryInMs }) => {
      this.#log('info', 'suspended', { reason: reason?.message ?? null, retryInMs });
    });
    events.on('offline', (offline) => this.#wentOffline(offline));
    events.on('message', (message) => this.#tell(this.#inbox.direct(message)));
    // What is said to the account as a whole the server may give to another client of it (RFC 6121 §8.5.2.1.1).
    this.#client.get(carbons).events.on('received', (message) => {
      if (message.to?.isBare === true) this.#tell(this.#inbox.direct(message));
    });
    const undelivered = new OncePerHour();
    events.on('undelivered', ({ from, error }) => {
      // Anybody can send errors, to messages of ours that never were, too.
      if (!undelivered.isDue(from.bare.toString())) return;
      this.#log('warn', 'error', { kind: 'undelivered', to: from.toString(), message: error.message });
    });
    events.on('fault', ({ error, where }) => {
      this.#log('error', 'error', { kind: 'internal', where, message: errorText(error) });
    });
    const rooms = this.#client.get(muc).events;
    rooms.on('privateMessage', (message) => this.#tell(this.#inbox.aside(message)));
    rooms.on('moderated', ({ room, id }) => this.#tell(this.#inbox.moderated(room.jid, id)));
  }

  /** What each session begins with. */
  #begin(): void {
    this.#rooms.enterAll();
    for (const work of [this.#missed.catchUp(), this.#appearance.publish()]) {
      work.catch((error: unknown) => this.#serverFailed(error));
    }
  }

  /** When it was the connection that failed, the next session tries again. */
  #serverFailed(error: unknown): void {
    if (this.#client.state === 'online') this.#log('warn', 'error', { kind: 'server', message: errorText(error) });
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

  /** What was left undone in this account's conversations at the last stop. */
  async #debts(): Promise<readonly Debt[]> {
    const prefix = `${this.#config.jid.toString()}/`;
    const own = (await this.#store.unfinished()).filter((id) => id.startsWith(prefix));
    const conversations = await Promise.all(own.map((id) => this.#store.conversation(id)));
    return conversations.map((conversation) => ({ conversation, ...conversation.pending() }));
  }

  /** What was asked and not answered is answered now; what was answered and not sent is sent. */
  async #pay({ conversation, waiting, undelivered }: Debt): Promise<void> {
    for (const answer of undelivered) {
      const place = this.#placeToPay(answer);
      if (place === undefined) await conversation.delivered(answer.id);
      else this.#tell(this.#deliver(conversation, answer, place));
    }
    for (const one of waiting) {
      const place = this.#placeToPay(one);
      // The model is not asked for what a room may never let us say.
      if (place !== undefined) await this.#opened(place, this.#stopping.signal);
      if (place === undefined || this.#isClosed(place)) await conversation.fail([one.key]);
      else {
        if (one.kind === 'question') this.#tell(this.#answering.unmark(place));
        await this.#inbox.resume(conversation, one, place);
      }
    }
  }

  /** Where something that is owed can be paid and may be: into a room that is not ours any more nobody would ever let us. */
  #placeToPay({ reference }: { readonly reference?: unknown }): Place | undefined {
    const place = readPlace(reference);
    if (place === undefined || (place.kind !== 'direct' && !this.#rooms.wants(place.to))) return undefined;
    return this.#inbox.admits(place) ? place : undefined;
  }

  /** Sends what was not sent; where that is not known, the archive may know. */
  async #deliver(conversation: Conversation, answer: Undelivered, place: Place): Promise<void> {
    if (answer.begun) await this.#opened(place, this.#stopping.signal);
    const sent = answer.begun ? await this.#missed.sentOf(place, answer.id, answer.at) : new Map<string, string>();
    await this.#answering.deliver(conversation, answer, place, sent);
  }

  /** Whether a place is a room that we shall not be in; then what is owed there is owed no more, which the log is told. */
  #isClosed(place: Place): boolean {
    if (place.kind === 'direct' || !this.#rooms.isClosed(place.to)) return false;
    const room = place.to.bare.toString();
    this.#log('warn', 'error', {
      kind: 'room',
      room,
      message: `unfinished answers in ${room} are dropped: the room cannot be joined`,
    });
    return true;
  }

  /** Settles questions that nobody would hear the answer to, or that the limits do not let through. @returns whether it did */
  async #refuses(questions: Turn<Question>): Promise<boolean> {
    const place = questions.items.at(-1)?.place;
    if (place === undefined || !this.#isClosed(place)) return this.#inbox.refuses(questions);
    const conversation = await this.#store.conversation(questions.conversation);
    await conversation.fail(questions.items.map(({ key }) => key));
    return true;
  }

  /** Resolves when something can be said at a place, or never will be; rejects with the signal's reason. */
  async #opened(place: Place, signal: AbortSignal): Promise<void> {
    const { rooms } = this.#client.get(muc);
    for (;;) {
      if (place.kind !== 'direct' && this.#rooms.isClosed(place.to)) return;
      if (this.#client.state !== 'online') await this.#client.events.once('online', { signal });
      else if (place.kind === 'direct' || rooms.get(place.to.bare.toString())?.joined === true) return;
      else await this.#rooms.decided(place.to, signal);
    }
  }
}
