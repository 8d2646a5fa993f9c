/**
 * XEP-0410 MUC Self-Ping (Schrödinger's Chat), 1.1.0 (Stable). https://xmpp.org/extensions/xep-0410.html
 *
 * A room can lose us without a word, when a server in between restarts. After a silence of the room, and at once when it refused a message
 * as from somebody who is not there, we ping ourselves through it; if it does not know us any more we enter again.
 */
import { StanzaError } from '../xmpp-core/errors.js';
import { definePlugin, type Plugin, type PluginContext } from '../xmpp-core/plugin.js';
import { el } from '../xmpp-core/xml/element.js';
import { muc, type Room } from './xep-0045-muc/index.js';
import { NS_PING, ping } from './xep-0199-ping.js';

/** A room that announces this answers for itself, and does not bother our clients (§3.3). Nothing else depends on it. */
export const NS_SELF_PING = 'http://jabber.org/protocol/muc#self-ping-optimization';

/** In milliseconds. */
export interface SelfPingPolicy {
  /** So long a room may be silent before it is asked; the XEP proposes a quarter of an hour. */
  readonly silenceMs: number;
  /** So long an answer may take. */
  readonly timeoutMs: number;
  /** When to ask again after no answer, or one that decides nothing. */
  readonly retryMs: number;
}

/** What a self-ping found out; `undecided` when somebody on the way did not answer. */
export type SelfPingVerdict = 'joined' | 'lost' | 'undecided';

/** What users of the plugin get. */
export interface SelfPing {
  /** Asks a room now whether we are in it, and enters it again if not. */
  check(room: Room): Promise<SelfPingVerdict>;
}

/** §3.2: an error that came from a client of ours, or says that our nick just changed. */
const STILL_THERE: ReadonlySet<string> = new Set(['service-unavailable', 'feature-not-implemented', 'item-not-found']);
/** §3.2: the way to the room is broken, which may pass. */
const UNREACHABLE: ReadonlySet<string> = new Set(['remote-server-not-found', 'remote-server-timeout']);

/** What the answer to a self-ping, a result or an error, means. */
export function selfPingVerdict(failure: unknown): SelfPingVerdict {
  if (failure === undefined) return 'joined';
  if (!(failure instanceof StanzaError) || UNREACHABLE.has(failure.condition)) return 'undecided';
  return STILL_THERE.has(failure.condition) ? 'joined' : 'lost';
}

/** The plugin with another policy than the usual one of 15 minutes, 30 seconds and one minute. */
export function mucSelfPingWith(policy: SelfPingPolicy): Plugin<SelfPing> {
  return definePlugin({
    name: 'muc-self-ping',
    xep: 410,
    // Our own clients answer what a room without the optimization sends on to them.
    requires: [muc, ping],
    setup(context) {
      const rooms = context.get(muc);
      const watches = new Map<Room, Watch>();
      const watch = (room: Room): Watch => {
        const found = watches.get(room) ?? new Watch(room, policy, context, () => rooms.comeBack(room));
        watches.set(room, found);
        return found;
      };
      rooms.events.on('joined', ({ room }) => watch(room).start());
      rooms.events.on('left', ({ room }) => {
        watches.get(room)?.stop();
        watches.delete(room);
      });
      // XEP-0045 §7.4: what somebody is told who speaks and is not there. Rooms say it for other reasons too, so they are asked.
      rooms.events.on('refused', ({ room, to, error }) => {
        if (to === '' && error.condition === 'not-acceptable') watch(room).hurry();
      });
      return { check: (room) => watch(room).check() };
    },
  });
}

export const mucSelfPing = mucSelfPingWith({ silenceMs: 15 * 60_000, timeoutMs: 30_000, retryMs: 60_000 });

/** Over one stay in one room. */
class Watch {
  readonly #room: Room;
  readonly #policy: SelfPingPolicy;
  readonly #context: PluginContext;
  readonly #onLost: () => void;
  #timer: NodeJS.Timeout | undefined;
  #checking: Promise<SelfPingVerdict> | undefined;
  #isOver = false;

  constructor(room: Room, policy: SelfPingPolicy, context: PluginContext, onLost: () => void) {
    this.#room = room;
    this.#policy = policy;
    this.#context = context;
    this.#onLost = onLost;
  }

  start(): void {
    this.#wait(this.#policy.silenceMs);
  }

  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  hurry(): void {
    this.#wait(0);
  }

  /** One at a time, however many ask. */
  check(): Promise<SelfPingVerdict> {
    this.#checking ??= this.#ask().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #ask(): Promise<SelfPingVerdict> {
    const { nick, jid } = this.#room;
    const { timeoutMs, silenceMs, retryMs } = this.#policy;
    // §4: while another nick is on its way to us, nobody knows whom to ask for.
    const isAskable = this.#room.joined && !this.#room.isRenaming && this.#context.silentMs() !== undefined;
    const failure: unknown = isAskable
      ? await this.#context
          .iq({ to: jid.withResource(nick), type: 'get', payload: el('ping', NS_PING), timeoutMs })
          .then(() => undefined, asError)
      : new Error('the room cannot be pinged now');
    const verdict = selfPingVerdict(failure);
    if (this.#isOver) return verdict;
    if (verdict === 'lost') this.#onLost();
    else this.#wait(verdict === 'joined' ? silenceMs : retryMs);
    return verdict;
  }

  #wait(ms: number): void {
    if (this.#isOver) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#wake(ms), ms);
  }

  #wake(waitedMs: number): void {
    const silentMs = this.#room.silentMs();
    if (silentMs === undefined) return;
    // Whatever the room said meanwhile, it said to us; then only the silence since that counts.
    if (waitedMs === this.#policy.silenceMs && silentMs < waitedMs) this.#wait(waitedMs - silentMs);
    else this.check().catch(() => undefined);
  }
}

function asError(error: unknown): unknown {
  return error;
}
