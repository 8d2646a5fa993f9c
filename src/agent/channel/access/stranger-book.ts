/** Who knocked, who was let in and who was turned away, across restarts. It decides which strangers are worth a message, and sends none. */
import { BoundedMap } from '../../../xmpp-core/bounded-map.js';
import { z } from 'zod';
import type { Storage } from '../../../xmpp-core/storage.js';
import { readStored } from '../../stored-json.js';

/**
 * What comes of a stranger's message:
 * - `announce`: they are new, and there is room for them. `unannounced` others were not, since the last one was.
 * - `last`: the same, and for a while nobody else will be announced.
 * - `silence`: they were announced before, or turned away lately, or said this before they were let in; or too many strangers came.
 */
export type ContactAttempt =
  { readonly kind: 'announce' | 'last'; readonly unannounced: number } | { readonly kind: 'silence' };

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;
/** Anybody can make up addresses, and operators are people: so many strangers are announced to them. */
const HOURLY = 10;
const DAILY = 40;
/** So many are remembered in each list; the oldest go first. */
const MAX_REMEMBERED = 500;

const times = z.array(z.tuple([z.string(), z.number()]));
/** Before it was written down when somebody was let in, their name stood there alone. */
const undated = z.string().transform((jid): [string, number] => [jid, 0]);
const schema = z.object({
  approved: z.array(z.union([z.tuple([z.string(), z.number()]), undated])),
  waiting: times,
  denied: times,
  announced: z.array(z.number()),
});

/** The book of one account. Names are canonical bare JIDs. */
export class StrangerBook {
  readonly #storage: Storage;
  readonly #key: string;
  readonly #now: () => number;
  /** Who was let in, and when. An operator gives each of them by hand, which bounds them. */
  #approved = new Map<string, number>();
  /** Who was announced and not decided on yet, and when. */
  #waiting = new BoundedMap<string, number>(MAX_REMEMBERED);
  /** Who was turned away, and when. */
  #denied = new BoundedMap<string, number>(MAX_REMEMBERED);
  /** When strangers were announced, in the last day. */
  #announced: number[] = [];
  #unannounced = 0;

  /** @param account the bare JID of the account whose book it is */
  constructor(storage: Storage, account: string, now: () => number = Date.now) {
    this.#storage = storage;
    this.#key = `strangers ${account}`;
    this.#now = now;
  }

  /** Reads what was written before the last stop. Rejects when the storage does. */
  async load(): Promise<void> {
    const stored = await readStored(this.#storage, this.#key, schema);
    if (stored === undefined) return;
    this.#approved = new Map(stored.approved);
    this.#waiting = new BoundedMap(MAX_REMEMBERED, stored.waiting);
    this.#denied = new BoundedMap(MAX_REMEMBERED, stored.denied);
    this.#announced = stored.announced;
  }

  /** Who was let in. */
  get approved(): ReadonlySet<string> {
    return new Set(this.#approved.keys());
  }

  /** Who had been let in at a time, and has not been turned away since. */
  approvedAt(time: Date): ReadonlySet<string> {
    return new Set([...this.#approved].flatMap(([jid, at]) => (at <= time.getTime() ? jid : [])));
  }

  /** Who was announced and waits for an operator, the oldest first. */
  get waiting(): readonly string[] {
    return [...this.#waiting.keys()];
  }

  /** Somebody wrote who is not let in. Rejects when an announcement could not be written down, which is then not to be made. */
  async knock(jid: string): Promise<ContactAttempt> {
    const now = this.#now();
    this.#announced = this.#announced.filter((at) => now - at < DAY_MS);
    for (const [denied, at] of this.#denied) if (now - at >= DAY_MS) this.#denied.delete(denied);
    if ([this.#approved, this.#waiting, this.#denied].some((known) => known.has(jid))) return { kind: 'silence' };
    const lately = this.#announced.filter((at) => now - at < HOUR_MS).length;
    if (lately >= HOURLY || this.#announced.length >= DAILY) {
      this.#unannounced += 1;
      return { kind: 'silence' };
    }
    const isLast = lately + 1 === HOURLY || this.#announced.length + 1 === DAILY;
    const unannounced = this.#unannounced;
    this.#unannounced = 0;
    this.#announced.push(now);
    this.#waiting.set(jid, now);
    await this.#write();
    return { kind: isLast ? 'last' : 'announce', unannounced };
  }

  /** Lets somebody in. @returns how they were known before */
  async approve(jid: string): Promise<'approved' | 'waiting' | 'unknown'> {
    if (this.#approved.has(jid)) return 'approved';
    const waited = this.#waiting.delete(jid);
    this.#denied.delete(jid);
    this.#approved.set(jid, this.#now());
    await this.#write();
    return waited ? 'waiting' : 'unknown';
  }

  /** Turns somebody away, who was let in or not; for a day they are not announced. @returns how they were known before */
  async deny(jid: string): Promise<'approved' | 'waiting' | 'unknown'> {
    const wasApproved = this.#approved.delete(jid);
    const waited = this.#waiting.delete(jid);
    this.#denied.set(jid, this.#now());
    await this.#write();
    if (wasApproved) return 'approved';
    return waited ? 'waiting' : 'unknown';
  }

  #write(): Promise<void> {
    return this.#storage.set(
      this.#key,
      JSON.stringify({
        approved: [...this.#approved],
        waiting: [...this.#waiting],
        denied: [...this.#denied],
        announced: this.#announced,
      }),
    );
  }
}
