/**
 * XEP-0410 MUC Self-Ping (Schrödinger's Chat), 1.1.0 (Stable). https://xmpp.org/extensions/xep-0410.html
 *
 * A room can lose us without notice, for example when a server on the way restarts. We ping ourselves through the room when it has been
 * silent for some time, and at once when it refuses a message because we are not in it. If it no longer knows us, we join again.
 */
import { StanzaError } from '../xmpp-core/errors.js';
import { definePlugin, type Plugin, type PluginContext } from '../xmpp-core/plugin.js';
import { el } from '../xmpp-core/xml/element.js';
import { muc, type Room } from './xep-0045-muc/index.js';
import { NS_PING, ping } from './xep-0199-ping.js';

/** The feature of a room that answers self-pings itself and does not pass them on to our clients (§3.3). Nothing else depends on it. */
export const NS_SELF_PING = 'http://jabber.org/protocol/muc#self-ping-optimization';

/** When to ping, in milliseconds. */
export interface SelfPingPolicy {
  /** How long a room may be silent before a ping. The XEP proposes a quarter of an hour. */
  readonly silenceMs: number;
  /** How long an answer may take. */
  readonly timeoutMs: number;
  /** When to ping again if there was no answer, or an undecided one. */
  readonly retryMs: number;
}

/** The result of a self-ping; `undecided` if the way to the room is broken. */
export type SelfPingVerdict = 'joined' | 'lost' | 'undecided';

/** The handle of the plugin. */
export interface SelfPing {
  /** Pings a room now, and joins it again if it no longer knows us. @returns what the ping found out; it does not reject */
  check(room: Room): Promise<SelfPingVerdict>;
}

/** §3.2: errors that come from another client of ours, or after a change of our nick. We are in the room. */
const STILL_THERE: ReadonlySet<string> = new Set(['service-unavailable', 'feature-not-implemented', 'item-not-found']);
/** §3.2: errors of a broken way to the room, which may be temporary. */
const UNREACHABLE: ReadonlySet<string> = new Set(['remote-server-not-found', 'remote-server-timeout']);

/** The verdict for an answer to a self-ping. @param failure the error; `undefined` for a result */
export function selfPingVerdict(failure: unknown): SelfPingVerdict {
  if (failure === undefined) return 'joined';
  if (!(failure instanceof StanzaError) || UNREACHABLE.has(failure.condition)) return 'undecided';
  return STILL_THERE.has(failure.condition) ? 'joined' : 'lost';
}

/** The plugin with a policy of your own. */
export function mucSelfPingWith(policy: SelfPingPolicy): Plugin<SelfPing> {
  return definePlugin({
    name: 'muc-self-ping',
    xep: 410,
    // Without the optimization, a room passes the ping on to our clients, which have to answer it.
    requires: [muc, ping],
    setup(context) {
      const rooms = context.get(muc);
      const watches = new Map<Room, Watch>();
      const watch = (room: Room): Watch => {
        const found = watches.get(room) ?? new Watch(room, policy, context, () => rooms.rejoin(room));
        watches.set(room, found);
        return found;
      };
      rooms.events.on('joined', ({ room }) => watch(room).start());
      rooms.events.on('left', ({ room }) => {
        watches.get(room)?.stop();
        watches.delete(room);
      });
      // XEP-0045 §7.4: the error for a message of somebody who is not in the room. It has other causes too, so we ping.
      rooms.events.on('refused', ({ room, to, error }) => {
        if (to === '' && error.condition === 'not-acceptable') watch(room).hurry();
      });
      return { check: (room) => watch(room).check() };
    },
  });
}

/** The plugin with the usual policy: 15 minutes of silence, 30 seconds for an answer, one minute until the next try. */
export const mucSelfPing = mucSelfPingWith({ silenceMs: 15 * 60_000, timeoutMs: 30_000, retryMs: 60_000 });

/** Watches one stay in one room. */
class Watch {
  readonly #room: Room;
  readonly #policy: SelfPingPolicy;
  readonly #context: PluginContext;
  readonly #onLost: () => void;
  #cancelWake: (() => void) | undefined;
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
    this.#cancelWake?.();
  }

  /** Pings as soon as possible. */
  hurry(): void {
    this.#wait(0);
  }

  /** Pings now. Calls at the same time share one ping. */
  check(): Promise<SelfPingVerdict> {
    this.#checking ??= this.#check();
    return this.#checking;
  }

  async #check(): Promise<SelfPingVerdict> {
    const { silenceMs, retryMs } = this.#policy;
    const verdict = await this.#ping();
    this.#checking = undefined;
    if (this.#isOver) return verdict;
    if (verdict === 'lost') this.#onLost();
    else this.#wait(verdict === 'joined' ? silenceMs : retryMs);
    return verdict;
  }

  async #ping(): Promise<SelfPingVerdict> {
    const { nick, jid } = this.#room;
    const { timeoutMs } = this.#policy;
    // §4: while our nick changes, the room may know us by either.
    const canPing = this.#room.joined && !this.#room.isChangingNick && this.#context.silentMs() !== undefined;
    if (!canPing) return 'undecided';
    try {
      await this.#context.iq({ to: jid.withWireResource(nick), type: 'get', payload: el('ping', NS_PING), timeoutMs });
      return selfPingVerdict(undefined);
    } catch (error) {
      return selfPingVerdict(error);
    }
  }

  #wait(ms: number): void {
    if (this.#isOver) return;
    this.#cancelWake?.();
    this.#cancelWake = this.#context.after(ms, () => this.#wake(ms));
  }

  async #wake(waitedMs: number): Promise<void> {
    const silentMs = this.#room.silentMs();
    if (silentMs === undefined) return;
    // If the room sent something meanwhile, it knew us then, and the silence counts from there.
    if (waitedMs === this.#policy.silenceMs && silentMs < waitedMs) this.#wait(waitedMs - silentMs);
    else await this.check();
  }
}
