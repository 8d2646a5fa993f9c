/** The session behind a `Room`: how we enter, what the room sends us, what we send to it, and how we get out. */
import { inBackground } from '../../xmpp-core/background.js';
import { withDeadline } from '../../xmpp-core/deadline.js';
import { OfflineError, StanzaError, XmppError } from '../../xmpp-core/errors.js';
import type { Events } from '../../xmpp-core/events.js';
import { Jid } from '../../xmpp-core/jid/jid.js';
import type { PluginContext, Undelivered } from '../../xmpp-core/plugin.js';
import { readStanzaError } from '../../xmpp-core/stanza/stanza-error.js';
import {
  writeMessage,
  writePresence,
  type Availability,
  type Message,
  type OutgoingText,
  type Presence,
} from '../../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../../xmpp-core/xml/element.js';
import { referenceId } from '../message-identity.js';
import { writeDirectInvitation } from '../xep-0249-direct-invitations.js';
import { writeReply } from '../xep-0461-message-replies.js';
import { writeApproval, writeVoiceRequest, type ApprovalRequest } from './approvals.js';
import { departureOf, REFUSALS } from './departure.js';
import { writeMediatedInvitation, type InvitationOptions } from './invitations.js';
import { writeMucJoin } from './join.js';
import { emitInRoom, type InRooms } from './muc-events.js';
import { NS_MUC_USER, readMucUser, Status, type MucUser } from './muc-user.js';
import type { Occupant } from './occupants.js';
import type { Destruction } from './owner.js';
import { PendingRequests } from './pending-requests.js';
import { RoomError } from './room-error.js';
import type { Left, OccupantMessage, RoomEvents } from './room-events.js';
import { RoomManagement } from './room-management.js';
import { RoomView } from './room-view.js';
import type { Room, RoomOptions } from './room.js';

/** What a session needs from the plugin. */
export interface RoomHost {
  readonly context: PluginContext;
  /** Where the events of the room are emitted a second time, with the room. */
  readonly events: Events<InRooms<RoomEvents>>;
  /** The sessions that get what their rooms send, by bare JID. A session is there from its first join until it is left. */
  readonly sessions: Map<string, RoomSession>;
  /** Reads the features that a room announces. */
  readonly readFeatures: (room: Jid, signal: AbortSignal) => Promise<ReadonlySet<string>>;
  /** Finds out whether there can be a room. @throws RoomError if not */
  readonly checkService: (room: Jid, signal: AbortSignal) => Promise<void>;
}

const JOIN_TIMEOUT_MS = 30_000;
/** Answers to a discovery that come from an account or another service. A room that does not exist answers `item-not-found`. */
const NOT_OF_A_ROOM: ReadonlySet<string> = new Set([
  'service-unavailable',
  'feature-not-implemented',
  'subscription-required',
  'not-allowed',
]);
/** How many nicks are tried before a conflict is final. */
const MAX_NICKS = 20;

interface Joining {
  readonly name: 'joining';
  /** The id of the presence that asks to enter, once it was sent. */
  id: string | undefined;
  readonly resolve: (selfPresence: Presence) => void;
  readonly reject: (error: Error) => void;
}

type State = { readonly name: 'out' } | Joining | { readonly name: 'in' };

const OUT: State = { name: 'out' };

/** One room that we are in, are joining, or were in. `Room` documents the public part. */
export class RoomSession implements Room {
  readonly jid: Jid;
  readonly events: Events<RoomEvents>;
  readonly management: RoomManagement;
  /** The options of the next join. */
  options: RoomOptions;
  readonly #host: RoomHost;
  readonly #view: RoomView;
  readonly #requests = new PendingRequests();
  #state: State = OUT;
  #isChangingNick = false;
  #receivedAt = 0;

  constructor(jid: Jid, options: RoomOptions, host: RoomHost) {
    const { context, readFeatures } = host;
    this.jid = jid;
    this.events = context.events<RoomEvents>();
    this.management = new RoomManagement(jid, context);
    this.options = options;
    this.#host = host;
    this.#view = new RoomView({
      jid,
      account: context.account,
      nick: options.nick,
      isJoined: () => this.joined,
      background: (work) => context.background(work),
      emit: (name, payload) => this.#emit(name, payload),
      readFeatures,
    });
  }

  get nick(): string {
    return this.#view.nick;
  }

  get joined(): boolean {
    return this.#state.name === 'in';
  }

  get occupants(): ReadonlyMap<string, Occupant> {
    return this.#view.occupants;
  }

  get self(): Occupant | undefined {
    return this.joined ? this.#view.self : undefined;
  }

  get features(): ReadonlySet<string> {
    return this.#view.features;
  }

  get isChangingNick(): boolean {
    return this.#isChangingNick;
  }

  silentMs(): number | undefined {
    return this.joined ? performance.now() - this.#receivedAt : undefined;
  }

  async join(signal?: AbortSignal): Promise<void> {
    if (this.#state.name !== 'out') throw new XmppError(`${this.jid.toString()} is already being joined`);
    this.#register();
    const { nick: wanted, whenTaken = 'next', timeoutMs = JOIN_TIMEOUT_MS } = this.options;
    const most = whenTaken === 'next' ? MAX_NICKS : 1;
    for (let attempt = 1; ; attempt++) {
      this.#view.nick = attempt === 1 ? wanted : `${wanted}-${attempt}`;
      try {
        const selfPresence = await withDeadline(`joining ${this.jid.toString()}`, timeoutMs, signal, (bounded) =>
          this.#enter(bounded),
        );
        await this.#setUp(selfPresence);
        return;
      } catch (error) {
        this.#withdraw(error);
        // Messages from there are no room's.
        if (error instanceof RoomError) this.#unregister();
        if (!(error instanceof StanzaError)) throw error;
        if (error.condition !== 'conflict' || attempt === most) throw new RoomError(this.jid, 'join', error);
      }
    }
  }

  leave(status?: string): void {
    const state = this.#state;
    this.#unregister();
    if (state.name === 'joining') state.reject(new XmppError(`${this.jid.toString()} was left before it was joined`));
    if (state.name !== 'in') return;
    this.#sendUnavailable(status);
    this.#end({ why: 'left', reason: undefined, by: undefined });
  }

  sendMessage(body: OutgoingText, payloads: readonly (Element | undefined)[] = []): string {
    return this.#send(writeMessage({ to: this.jid, type: 'groupchat', body, payloads }));
  }

  sendPrivateMessage(nick: string, body: OutgoingText, payloads: readonly (Element | undefined)[] = []): string {
    const to = this.jid.withWireResource(nick);
    // By this element our own server recognizes a private message when it copies it to our other clients.
    return this.#send(writeMessage({ to, type: 'chat', body, payloads: [...payloads, el('x', NS_MUC_USER)] }));
  }

  reply(to: OccupantMessage, body: OutgoingText, payloads: readonly (Element | undefined)[] = []): string {
    const id = referenceId(to);
    const reference = id === undefined ? undefined : writeReply({ id, to: to.message.from });
    return to.message.type === 'groupchat'
      ? this.sendMessage(body, [reference, ...payloads])
      : this.sendPrivateMessage(to.nick, body, [reference, ...payloads]);
  }

  async setSubject(subject: string, signal?: AbortSignal): Promise<void> {
    const message = writeMessage({ to: this.jid, type: 'groupchat', subject });
    const isEffect = ({ element, from }: { element: Element; from: Jid }): boolean =>
      element.child('body') === undefined &&
      element.childText('subject') === subject &&
      [this.#view.nick, ''].includes(from.resource);
    const what = `changing the subject of ${this.jid.toString()}`;
    await this.#requests.send(what, message, isEffect, (stanza) => this.#send(stanza), signal);
  }

  async changeNick(nick: string, signal?: AbortSignal): Promise<void> {
    const presence = writePresence({ to: this.jid.withResource(nick) });
    // The room may assign yet another nick (210), so our nick is the one of our own presence.
    const isEffect = ({ element }: { element: Element }): boolean =>
      element.attr('type') === undefined && readMucUser(element)?.statuses.has(Status.self) === true;
    this.#isChangingNick = true;
    try {
      const what = `changing our nick in ${this.jid.toString()}`;
      await this.#requests.send(what, presence, isEffect, (stanza) => this.#send(stanza), signal);
    } finally {
      this.#isChangingNick = false;
    }
  }

  setPresence(availability: Partial<Pick<Availability, 'show' | 'status'>>): void {
    this.#send(writePresence({ to: this.jid.withWireResource(this.#view.nick), ...availability }));
  }

  invite(invitee: Jid | string, options: InvitationOptions = {}): string {
    const payloads = [writeMediatedInvitation(Jid.from(invitee), options)];
    return this.#send(writeMessage({ to: this.jid, type: 'normal', payloads }));
  }

  inviteDirectly(invitee: Jid | string, options: InvitationOptions = {}): string {
    const invitation = { room: this.jid, password: this.options.password, ...options };
    return this.#send(writeMessage({ to: invitee, type: 'normal', payloads: [writeDirectInvitation(invitation)] }));
  }

  requestVoice(): void {
    this.#send(writeMessage({ to: this.jid, type: 'normal', payloads: [writeVoiceRequest()] }));
  }

  decide(request: ApprovalRequest, allow: boolean): void {
    this.#send(writeMessage({ to: this.jid, type: 'normal', payloads: [writeApproval(request, allow)] }));
  }

  /** Joins again without being asked to. The event `joinFailed` reports a failure. */
  rejoin(): void {
    this.#host.context.background(
      () => this.join(),
      (error) => this.#emit('joinFailed', { error: error instanceof Error ? error : new XmppError(String(error)) }),
    );
  }

  /** The connection is lost, and with it our presence in the room. */
  disconnected(): void {
    const state = this.#state;
    if (state.name === 'joining') state.reject(new OfflineError('the connection was lost while joining'));
    else if (state.name === 'in') this.#end({ why: 'offline', reason: undefined, by: undefined });
  }

  /** The room no longer knows us (XEP-0410). */
  lost(): void {
    if (this.joined) this.#end({ why: 'lost', reason: undefined, by: undefined });
  }

  /** Takes a presence from the room. */
  takePresence(presence: Presence): void {
    if (this.#state.name === 'out') return;
    this.#receivedAt = performance.now();
    if (presence.type === 'error') return this.#takeRefusal(presence);
    const user = readMucUser(presence.element);
    const nick = presence.from.resource;
    // A presence from the bare JID is about the room and not about an occupant.
    if (user === undefined || nick === '') return;
    const isSelf = this.#isOwn(presence, user);
    if (presence.type === 'available') this.#takeAvailable(presence, user, isSelf);
    else if (presence.type === 'unavailable')
      this.#takeUnavailable(nick, user, isSelf || (this.joined && nick === this.#view.nick));
    this.#requests.receive(presence);
  }

  /**
   * Whether a presence is our own. Status 110 says so, whatever our nick (§7.2.3, 210). A room older than that status shows our full JID, or
   * answers our request under its id, which nobody else knows.
   */
  #isOwn({ id, from }: Presence, { statuses, jid }: MucUser): boolean {
    const ours = this.#host.context.jid();
    if (statuses.has(Status.self) || (ours !== undefined && jid?.equals(ours) === true)) return true;
    const state = this.#state;
    return state.name === 'joining' && state.id !== undefined && id === state.id && from.resource === this.#view.nick;
  }

  /** Takes a message from the room. */
  takeMessage(message: Message): void {
    if (!this.joined) return;
    this.#receivedAt = performance.now();
    this.#view.receive(message);
    this.#requests.receive(message);
  }

  /** Takes the error of a message of ours that was not delivered. */
  takeUndelivered({ from, id, error }: Undelivered): void {
    const to = from.resource;
    if (to === '' && this.#requests.fail(id, new RoomError(this.jid, 'subject', error))) return;
    const refusal = new RoomError(this.jid, to === '' ? 'speak' : 'whisper', error);
    this.#emit('refused', { id, to, error: refusal });
  }

  /** Registers the session for what the room sends. @throws XmppError if a later session of the same room is registered */
  #register(): void {
    const key = this.jid.toString();
    if (this.#host.sessions.has(key) && !this.#isRegistered())
      throw new XmppError(`${key} was left and joined again since; use the Room of the later join`);
    this.#host.sessions.set(key, this);
  }

  #unregister(): void {
    if (this.#isRegistered()) this.#host.sessions.delete(this.jid.toString());
  }

  #isRegistered(): boolean {
    return this.#host.sessions.get(this.jid.toString()) === this;
  }

  #emit<Name extends keyof RoomEvents>(name: Name, payload: RoomEvents[Name]): void {
    this.events.emit(name, payload);
    emitInRoom<RoomEvents, Name>(this.#host.events, this, name, payload);
  }

  #enter(signal: AbortSignal): Promise<Presence> {
    return new Promise<Presence>((resolve, reject) => {
      const joining: Joining = { name: 'joining', id: undefined, resolve, reject };
      this.#state = joining;
      inBackground(() => this.#requestEntry(joining, signal), reject);
    });
  }

  async #requestEntry(joining: Joining, signal: AbortSignal): Promise<void> {
    // The features decide which ids of the room can be trusted, so they have to be known before the first message arrives.
    const refusal = await this.#view.refreshFeatures(signal);
    if (refusal !== undefined && NOT_OF_A_ROOM.has(refusal.condition)) await this.#host.checkService(this.jid, signal);
    // The join may have been cancelled meanwhile.
    if (this.#state !== joining || signal.aborted) return;
    const { password } = this.options;
    const { lastMessageAt } = this.#view;
    const history = lastMessageAt === undefined ? this.options.history : { since: lastMessageAt };
    const to = this.jid.withResource(this.#view.nick);
    const presence = writePresence({ to, payloads: [writeMucJoin({ password, history })] });
    joining.id = presence.attr('id');
    this.#host.context.send(presence);
  }

  /** Configures the room if our join created it. */
  async #setUp(selfPresence: Presence): Promise<void> {
    const user = readMucUser(selfPresence.element);
    if (user?.statuses.has(Status.created) !== true) return;
    const { configuration } = this.options;
    if (configuration === undefined) await this.management.acceptDefaults();
    else await this.management.configure(configuration);
    // The room could not announce features before it existed. They tell how to read our own presence, so it is read again.
    await this.#view.refreshFeatures();
    if (!this.joined) throw new XmppError(`${this.jid.toString()} was left before it was set up`);
    this.#takeAvailable(selfPresence, user, true);
    this.#emitJoined(user);
  }

  /** Cleans up after a join that failed. Unless the room itself refused, it may have let us in or be about to. */
  #withdraw(error: unknown): void {
    const isRefusal = (error instanceof StanzaError || error instanceof RoomError) && !this.joined;
    this.#reset();
    if (!isRefusal && this.#host.context.silentMs() !== undefined) this.#sendUnavailable();
  }

  #takeRefusal(presence: Presence): void {
    const error = readStanzaError(presence.element, presence.language);
    const state = this.#state;
    if (state.name === 'in') {
      this.#requests.fail(presence.id, new RoomError(this.jid, 'nick', error));
    } else if (state.name === 'joining' && (presence.id === undefined || presence.id === state.id)) {
      state.reject(error);
    }
  }

  #sendUnavailable(status?: string): void {
    this.#host.context.send(
      writePresence({ to: this.jid.withWireResource(this.#view.nick), type: 'unavailable', status }),
    );
  }

  #takeAvailable(presence: Presence, user: MucUser, isSelf: boolean): void {
    this.#view.update(presence, user, isSelf);
    if (!isSelf || this.#state.name !== 'joining') return;
    const { resolve } = this.#state;
    this.#state = { name: 'in' };
    // At once, so that `joined` comes before the room's first message. A room that we created is not ready yet.
    if (!user.statuses.has(Status.created)) this.#emitJoined(user);
    resolve(presence);
  }

  #emitJoined({ statuses }: MucUser): void {
    this.#emit('joined', {
      nick: this.#view.nick,
      created: statuses.has(Status.created),
      nonAnonymous: statuses.has(Status.nonAnonymous),
      logged: statuses.has(Status.logged),
      nickAssigned: statuses.has(Status.nickAssigned),
    });
  }

  #takeUnavailable(nick: string, user: MucUser, isSelf: boolean): void {
    const { reason, actor: by, destruction, statuses } = user;
    const left: Left = { why: departureOf(user), reason, by };
    if (statuses.has(Status.nickChanged) && user.nick !== undefined) {
      this.#view.rename(nick, user.nick, isSelf);
    } else if (isSelf || (destruction !== undefined && nick === this.#view.nick)) {
      const state = this.#state;
      if (state.name !== 'joining') this.#end(left, destruction);
      // While joining, a plain departure is the echo of an earlier stay that we ended ourselves.
      else if (left.why !== 'left') state.reject(new StanzaError(...REFUSALS[left.why], reason));
    } else {
      this.#view.remove(nick, left);
    }
  }

  #send(stanza: Element): string {
    if (!this.joined) throw new XmppError(`we are not in ${this.jid.toString()}`);
    this.#host.context.send(stanza);
    return stanza.attr('id') ?? '';
  }

  #end(left: Left, destruction?: Destruction): void {
    this.#reset();
    this.#emit('left', { destruction, ...left });
  }

  #reset(): void {
    this.#state = OUT;
    this.#view.clear();
    this.#requests.failAll(new XmppError(`we are no longer in ${this.jid.toString()}`));
  }
}
