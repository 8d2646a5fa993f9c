/** Strangers who wrote, were approved or were denied, across restarts. Decides which strangers are announced to operators; sends nothing. */
import { BoundedMap } from '../../../xmpp-core/bounded-map.js';
import { z } from 'zod';
import type { Storage } from '../../../xmpp-core/storage.js';
import { readStoredJson } from '../../stored-json.js';

/**
 * What to do with a stranger's message:
 * - `announce`: announce them; they are new. `unannounced` others were not announced since the last announcement.
 * - `last`: the same, and for a while nobody else is announced.
 * - `silence`: nothing. They were announced before, denied in the last day, or wrote this before they were approved; or there are too many strangers.
 */
export type ContactAttempt =
  { readonly kind: 'announce' | 'last'; readonly unannounced: number } | { readonly kind: 'silence' };

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;
/** The most announcements in an hour and in a day: anybody can make up addresses, and operators read each announcement. */
const HOURLY = 10;
const DAILY = 40;
/** The most entries in the lists of waiting and denied strangers; the oldest are dropped first. */
const MAX_REMEMBERED = 500;

const times = z.array(z.tuple([z.string(), z.number()]));
/** Older files have the JID alone, without the time of the approval. */
const undated = z.string().transform((jid): [string, number] => [jid, 0]);
const schema = z.object({
  approved: z.array(z.union([z.tuple([z.string(), z.number()]), undated])),
  waiting: times,
  denied: times,
  announced: z.array(z.number()),
});

/** The strangers of one account. All JIDs are canonical bare JIDs. */
export class StrangerBook {
  readonly #storage: Storage;
  readonly #key: string;
  readonly #now: () => number;
  /** Who was approved, and when. Operators add each one by hand, so it needs no bound. */
  #approved = new Map<string, number>();
  /** Who was announced and waits for a decision, and since when. */
  #waiting = new BoundedMap<string, number>(MAX_REMEMBERED);
  /** Who was denied, and when. */
  #denied = new BoundedMap<string, number>(MAX_REMEMBERED);
  /** The times of the announcements of the last day. */
  #announced: number[] = [];
  #unannounced = 0;

  /** @param account the bare JID of the account whose book it is */
  constructor(storage: Storage, account: string, now: () => number = Date.now) {
    this.#storage = storage;
    this.#key = `strangers ${account}`;
    this.#now = now;
  }

  /** Reads the stored state. Rejects when the storage does. */
  async load(): Promise<void> {
    const stored = await readStoredJson(this.#storage, this.#key, schema);
    if (stored === undefined) return;
    this.#approved = new Map(stored.approved);
    this.#waiting = new BoundedMap(MAX_REMEMBERED, stored.waiting);
    this.#denied = new BoundedMap(MAX_REMEMBERED, stored.denied);
    this.#announced = stored.announced;
  }

  /** Everybody who is approved. */
  get approved(): ReadonlySet<string> {
    return new Set(this.#approved.keys());
  }

  /** Everybody who was approved at `time` and has not been denied since. */
  approvedAt(time: Date): ReadonlySet<string> {
    return new Set([...this.#approved].flatMap(([jid, at]) => (at <= time.getTime() ? jid : [])));
  }

  /** Everybody who waits for a decision, the oldest first. */
  get waiting(): readonly string[] {
    return [...this.#waiting.keys()];
  }

  /** Whether this person wrote, or was approved or denied. */
  knows(jid: string): boolean {
    return [this.#approved, this.#waiting, this.#denied].some((known) => known.has(jid));
  }

  /** Records a message of a stranger. Rejects when an announcement could not be stored; then it must not be made. */
  async recordAttempt(jid: string): Promise<ContactAttempt> {
    const now = this.#now();
    this.#announced = this.#announced.filter((at) => now - at < DAY_MS);
    for (const [denied, at] of this.#denied) if (now - at >= DAY_MS) this.#denied.delete(denied);
    if (this.knows(jid)) return { kind: 'silence' };
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

  /** Approves a stranger. @returns their state before */
  async approve(jid: string): Promise<'approved' | 'waiting' | 'unknown'> {
    if (this.#approved.has(jid)) return 'approved';
    const waited = this.#waiting.delete(jid);
    this.#denied.delete(jid);
    this.#approved.set(jid, this.#now());
    await this.#write();
    return waited ? 'waiting' : 'unknown';
  }

  /** Denies somebody, approved or not; for a day they are not announced. @returns their state before */
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
