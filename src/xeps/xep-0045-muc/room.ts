/** One room we are in or want to be in: how we come in, what we do there, and how we came to be out of it. */
import { withDeadline } from '../../xmpp-core/deadline.js';
import { StanzaError, XmppError } from '../../xmpp-core/errors.js';
import type { Jid } from '../../xmpp-core/jid/jid.js';
import type { Undelivered } from '../../xmpp-core/plugin.js';
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
import type { FormValues } from '../xep-0004-data-forms.js';
import { writeDirectInvitation } from '../xep-0249-direct-invitations.js';
import { writeApproval, writeVoiceRequest, type ApprovalRequest } from './approvals.js';
import { departureOf, REFUSALS } from './departure.js';
import type { Left } from './events.js';
import { Expectations } from './expectations.js';
import { writeMediatedInvitation, type InvitationOptions } from './invitations.js';
import { writeMucJoin, type HistoryRequest } from './join.js';
import { NS_MUC_USER, readMucUser, Status, type MucUser } from './muc-user.js';
import type { Occupant } from './occupants.js';
import type { Destruction } from './owner.js';
import { RoomError } from './room-error.js';
import { RoomManagement } from './room-management.js';
import { RoomView, type RoomHost } from './room-view.js';

/** How to be in a room. */
export interface RoomOptions {
  readonly nick: string;
  readonly password?: string | undefined;
  /** What to ask for at the first join; later ones ask for what came since. */
  readonly history?: HistoryRequest;
  /** When the nick is taken: the next free one (`bot-2` …), which is what happens unless told, or no join. */
  readonly whenTaken?: 'next' | 'fail';
  /** The settings of the room if our coming creates it (see `RoomManagement.configure`); without them it is taken as it is. */
  readonly configuration?: FormValues;
  /** How long the room may take to let us in; 30 seconds unless told. */
  readonly timeoutMs?: number;
}

const JOIN_TIMEOUT_MS = 30_000;
/** How many nicks are tried before a conflict is final. */
const MAX_NICKS = 20;

interface Joining {
  readonly name: 'joining';
  /** The presence that asks, once it was sent. */
  id: string | undefined;
  readonly resolve: (selfPresence: Presence) => void;
  readonly reject: (error: Error) => void;
}

type State = { readonly name: 'out' } | Joining | { readonly name: 'in' };

const OUT: State = { name: 'out' };

export class Room {
  readonly jid: Jid;
  /** What moderators, admins and owners do. */
  readonly management: RoomManagement;
  readonly #host: RoomHost;
  readonly #view: RoomView;
  readonly #expectations = new Expectations();
  #options: RoomOptions;
  #state: State = OUT;
  #isRenaming = false;
  #heardAt = 0;

  constructor(jid: Jid, options: RoomOptions, host: RoomHost) {
    this.jid = jid;
    this.management = new RoomManagement(jid, host.context);
    this.#options = options;
    this.#view = new RoomView(this, host, options.nick);
    this.#host = host;
  }

  /** Our nick in this room as the room knows it; the wish while we are not in it. */
  get nick(): string {
    return this.#view.nick;
  }

  get joined(): boolean {
    return this.#state.name === 'in';
  }

  /** The occupants by nick, ourselves included; at most `MAX_OCCUPANTS`, and the rest is left out. */
  get occupants(): ReadonlyMap<string, Occupant> {
    return this.#view.occupants;
  }

  /** Ourselves, while we are there: our role, our affiliation. */
  get self(): Occupant | undefined {
    return this.joined ? this.#view.self : undefined;
  }

  /** What the room announces (`urn:xmpp:sid:0`, `muc_nonanonymous` …), as it was when we came or it last changed. */
  get features(): ReadonlySet<string> {
    return this.#view.announced;
  }

  /** Milliseconds since the room was last heard of; `undefined` while we are not in it. */
  silentMs(): number | undefined {
    return this.joined ? performance.now() - this.#heardAt : undefined;
  }

  /** Whether another nick was asked for, and it is not known yet which one we have. */
  get isRenaming(): boolean {
    return this.#isRenaming;
  }

  /**
   * Enters the room, with the next free nick when ours is taken (`bot`, `bot-2` …). A room that this creates is set up as the
   * options say.
   * @throws RoomError when the room refuses, TimeoutError when it does not let us in in time, XmppError when it is left or the connection
   * lost meanwhile, or the signal's reason
   */
  async join(signal?: AbortSignal): Promise<void> {
    if (this.#state.name !== 'out') throw new XmppError(`${this.jid.toString()} is already being joined`);
    const { nick: wish, whenTaken = 'next', timeoutMs = JOIN_TIMEOUT_MS } = this.#options;
    const most = whenTaken === 'next' ? MAX_NICKS : 1;
    for (let attempt = 1; ; attempt++) {
      this.#view.nick = attempt === 1 ? wish : `${wish}-${attempt}`;
      try {
        const selfPresence = await withDeadline(`joining ${this.jid.toString()}`, timeoutMs, signal, (bounded) =>
          this.#enter(bounded),
        );
        await this.#entered(selfPresence);
        return;
      } catch (error) {
        this.#withdraw(error);
        if (!(error instanceof StanzaError)) throw error;
        if (error.condition !== 'conflict' || attempt === most) throw new RoomError(this.jid, 'join', error);
      }
    }
  }

  /** What the next join is to ask for. */
  prepare(options: RoomOptions): void {
    this.#options = options;
  }

  /** Says something to the room. @returns the id of the message, which the room's copy of it has too */
  say(body: OutgoingText, payloads: readonly (Element | undefined)[] = []): string {
    return this.#send(writeMessage({ to: this.jid, type: 'groupchat', body, payloads }));
  }

  /** Says something to one occupant alone (§7.5). @returns the id of the message */
  whisper(nick: string, body: OutgoingText, payloads: readonly (Element | undefined)[] = []): string {
    const to = this.jid.withResource(nick);
    // The mark lets our own server know it for what it is when it copies it to our other clients.
    return this.#send(writeMessage({ to, type: 'chat', body, payloads: [...payloads, el('x', NS_MUC_USER)] }));
  }

  /** Changes what the room is about; an empty text takes it away (§8.1). @throws RoomError, TimeoutError, the signal's reason */
  async setSubject(subject: string, signal?: AbortSignal): Promise<void> {
    const message = writeMessage({ to: this.jid, type: 'groupchat', subject });
    const isShown = (seen: { element: Element; from: Jid }): boolean =>
      seen.element.child('body') === undefined &&
      seen.element.childText('subject') === subject &&
      [this.#view.nick, ''].includes(seen.from.resource);
    const what = `changing the subject of ${this.jid.toString()}`;
    await this.#expectations.expect(what, message, isShown, (one) => this.#send(one), signal);
  }

  /** Takes another nick (§7.6). @throws RoomError, TimeoutError, the signal's reason */
  async changeNick(nick: string, signal?: AbortSignal): Promise<void> {
    const presence = writePresence({ to: this.jid.withResource(nick) });
    // The room may have changed it once more (210), so ours is whatever the presence that is ours says.
    const isShown = ({ element }: { element: Element }): boolean =>
      element.attr('type') === undefined && readMucUser(element)?.statuses.has(Status.self) === true;
    this.#isRenaming = true;
    try {
      const what = `changing our nick in ${this.jid.toString()}`;
      await this.#expectations.expect(what, presence, isShown, (one) => this.#send(one), signal);
    } finally {
      this.#isRenaming = false;
    }
  }

  /** Shows the occupants how available we are (§7.7). */
  setPresence(availability: Partial<Pick<Availability, 'show' | 'status'>>): void {
    this.#send(writePresence({ to: this.jid.withResource(this.#view.nick), ...availability }));
  }

  /** Has the room invite somebody (§7.8.2). A refusal comes as `refused`, and theirs as `declined`. @returns the id of the message */
  invite(invitee: Jid, options: InvitationOptions = {}): string {
    const payloads = [writeMediatedInvitation(invitee, options)];
    return this.#send(writeMessage({ to: this.jid, type: 'normal', payloads }));
  }

  /** Invites somebody ourselves (XEP-0249), with the room's password if there is one. @returns the id of the message */
  inviteDirectly(invitee: Jid, options: InvitationOptions = {}): string {
    const invitation = { room: this.jid, password: this.#options.password, ...options };
    return this.#send(writeMessage({ to: invitee, type: 'normal', payloads: [writeDirectInvitation(invitation)] }));
  }

  /** Asks for voice in a moderated room (§7.13); `occupantChanged` tells when it was granted. */
  requestVoice(): void {
    this.#send(writeMessage({ to: this.jid, type: 'normal', payloads: [writeVoiceRequest()] }));
  }

  /** Answers what `approvalRequested` asked. */
  decide(request: ApprovalRequest, allow: boolean): void {
    this.#send(writeMessage({ to: this.jid, type: 'normal', payloads: [writeApproval(request, allow)] }));
  }

  /** Leaves the room in order (§7.14). @param status words for those who stay */
  leave(status?: string): void {
    const state = this.#state;
    if (state.name === 'joining') state.reject(new XmppError(`${this.jid.toString()} was left before it was joined`));
    if (state.name !== 'in') return;
    this.#sayGoodbye(status);
    this.#out({ why: 'left', reason: undefined, by: undefined });
  }

  /** The connection is gone, and with it our presence in the room. */
  disconnected(): void {
    const state = this.#state;
    if (state.name === 'joining') state.reject(new XmppError('the connection was lost while joining'));
    else if (state.name === 'in') this.#out({ why: 'offline', reason: undefined, by: undefined });
  }

  /** The room has forgotten us. */
  lost(): void {
    if (this.joined) this.#out({ why: 'lost', reason: undefined, by: undefined });
  }

  /** Takes a presence of this room. */
  takePresence(presence: Presence): void {
    if (this.#state.name === 'out') return;
    this.#heardAt = performance.now();
    if (presence.type === 'error') return this.#takeRefusal(presence);
    const user = readMucUser(presence.element);
    const nick = presence.from.resource;
    // A room speaks of itself under its bare JID, which is nobody in it.
    if (user === undefined || nick === '') return;
    // Only status 110 says who we are: the nick may have been changed by the room (§7.2.3, 210).
    const isSelf = user.statuses.has(Status.self);
    if (presence.type === 'available') this.#seen(presence, user, isSelf);
    else if (presence.type === 'unavailable')
      this.#gone(nick, user, isSelf || (this.joined && nick === this.#view.nick));
    this.#expectations.seen(presence);
  }

  /** Takes a message of this room. */
  takeMessage(message: Message): void {
    if (!this.joined) return;
    this.#heardAt = performance.now();
    this.#view.hear(message);
    this.#expectations.seen(message);
  }

  /** Takes the news that a message of ours was not taken. */
  takeUndelivered({ from, id, error }: Undelivered): void {
    const to = from.resource;
    if (to === '' && this.#expectations.refuse(id, new RoomError(this.jid, 'subject', error))) return;
    const refusal = new RoomError(this.jid, to === '' ? 'speak' : 'whisper', error);
    this.#host.events.emit('refused', { room: this, id, to, error: refusal });
  }

  #enter(signal: AbortSignal): Promise<Presence> {
    return new Promise<Presence>((resolve, reject) => {
      const joining: Joining = { name: 'joining', id: undefined, resolve, reject };
      this.#state = joining;
      this.#knock(joining, signal).catch(reject);
    });
  }

  async #knock(joining: Joining, signal: AbortSignal): Promise<void> {
    // What the room announces decides which of its ids can be believed, so it is asked before the first message comes.
    await this.#view.learn(signal);
    // Meanwhile the join may have been given up.
    if (this.#state !== joining || signal.aborted) return;
    const { password } = this.#options;
    const { lastSaid } = this.#view;
    const history = lastSaid === undefined ? this.#options.history : { since: lastSaid };
    const to = this.jid.withResource(this.#view.nick);
    const presence = writePresence({ to, payloads: [writeMucJoin({ password, history })] });
    joining.id = presence.attr('id');
    this.#host.context.send(presence);
  }

  /** Sets the room up when our coming created it. */
  async #entered(selfPresence: Presence): Promise<void> {
    const user = readMucUser(selfPresence.element);
    if (user?.statuses.has(Status.created) !== true) return;
    const { configuration } = this.#options;
    if (configuration === undefined) await this.management.acceptDefaults();
    else await this.management.configure(configuration);
    // Before it existed the room could announce nothing, so who we are in it is read again.
    await this.#view.learn();
    if (!this.joined) throw new XmppError(`${this.jid.toString()} was left before it was set up`);
    this.#seen(selfPresence, user, true);
    this.#tellJoined(user);
  }

  /** After a join that failed. Unless the room itself refused, it may have let us in, or be about to. */
  #withdraw(error: unknown): void {
    const isRefusal = error instanceof StanzaError && !this.joined;
    this.#forget();
    if (!isRefusal && this.#host.context.silentMs() !== undefined) this.#sayGoodbye();
  }

  #takeRefusal(presence: Presence): void {
    const error = readStanzaError(presence.element, presence.language);
    const state = this.#state;
    if (state.name === 'in') {
      this.#expectations.refuse(presence.id, new RoomError(this.jid, 'nick', error));
    } else if (state.name === 'joining' && (presence.id === undefined || presence.id === state.id)) {
      state.reject(error);
    }
  }

  #sayGoodbye(status?: string): void {
    this.#host.context.send(writePresence({ to: this.jid.withResource(this.#view.nick), type: 'unavailable', status }));
  }

  #seen(presence: Presence, user: MucUser, isSelf: boolean): void {
    this.#view.see(presence, user, isSelf);
    if (!isSelf || this.#state.name !== 'joining') return;
    const { resolve } = this.#state;
    this.#state = { name: 'in' };
    // At once, so that whoever listens knows of the room before its first message; a new room is not ready yet.
    if (!user.statuses.has(Status.created)) this.#tellJoined(user);
    resolve(presence);
  }

  #tellJoined({ statuses }: MucUser): void {
    this.#host.events.emit('joined', {
      room: this,
      nick: this.#view.nick,
      created: statuses.has(Status.created),
      nonAnonymous: statuses.has(Status.nonAnonymous),
      logged: statuses.has(Status.logged),
      nickAssigned: statuses.has(Status.nickAssigned),
    });
  }

  #gone(nick: string, user: MucUser, isSelf: boolean): void {
    const { reason, actor: by, destruction, statuses } = user;
    const left: Left = { why: departureOf(user), reason, by };
    if (statuses.has(Status.nickChanged) && user.nick !== undefined) {
      this.#view.rename(nick, user.nick, isSelf);
    } else if (isSelf || (destruction !== undefined && nick === this.#view.nick)) {
      const state = this.#state;
      if (state.name !== 'joining') this.#out(left, destruction);
      // While joining, a plain departure is the echo of an earlier stay that we ended ourselves.
      else if (left.why !== 'left') state.reject(new StanzaError(...REFUSALS[left.why], reason));
    } else {
      this.#view.lose(nick, left);
    }
  }

  #send(stanza: Element): string {
    if (!this.joined) throw new XmppError(`we are not in ${this.jid.toString()}`);
    this.#host.context.send(stanza);
    return stanza.attr('id') ?? '';
  }

  #out(left: Left, destruction?: Destruction): void {
    this.#forget();
    this.#host.events.emit('left', { room: this, destruction, ...left });
  }

  /** Who was there is not known any more: a later join tells it anew. */
  #forget(): void {
    this.#state = OUT;
    this.#view.clear();
    this.#expectations.endAll(new XmppError(`we are no longer in ${this.jid.toString()}`));
  }
}
