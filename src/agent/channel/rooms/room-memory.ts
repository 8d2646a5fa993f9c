/** What an account remembers of its rooms across restarts: which ones operators asked it into, and when the last message arrived. */
import { BoundedMap } from '../../../xmpp-core/bounded-map.js';
import { z } from 'zod';
import { Jid } from '../../../xmpp-core/jid/jid.js';
import type { Storage } from '../../../xmpp-core/storage.js';
import type { Background } from '../../background.js';
import { readStoredJson } from '../../stored-json.js';

/** A room that an operator asked the bot into. */
export interface Stay {
  /** Bare. */
  readonly room: Jid;
  readonly password?: string | undefined;
  /** Whether the bot set the room's bookmark itself, and so removes it. */
  readonly bookmarked: boolean;
}

const schema = z.array(
  z.object({
    room: z.string(),
    password: z.string().exactOptional(),
    bookmarked: z.boolean(),
  }),
);

const times = z.array(z.tuple([z.string(), z.iso.datetime().transform((text) => new Date(text))]));

/** The most rooms that the bot left and remembers; the oldest are forgotten first. */
const MAX_LEFT = 100;
/** The shortest time between two writes, in milliseconds: a lively room would otherwise have the file written all the time. */
const WRITE_MS = 5_000;

/** The room memory of one account. */
export class RoomMemory {
  readonly #storage: Storage;
  readonly #account: string;
  readonly #background: Background;
  readonly #stays = new Map<string, Stay>();
  readonly #lastMessageAt = new Map<string, Date>();
  readonly #leftAt = new BoundedMap<string, Date>(MAX_LEFT);
  readonly #unwritten = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(storage: Storage, account: Jid, background: Background) {
    this.#storage = storage;
    this.#account = account.toString();
    this.#background = background;
  }

  /** Reads what an earlier run wrote. @param rooms the configured ones */
  async load(rooms: readonly Jid[]): Promise<void> {
    for (const stored of (await readStoredJson(this.#storage, `rooms ${this.#account}`, schema)) ?? []) {
      const room = Jid.fromWire(stored.room)?.bare;
      if (room !== undefined) this.#stays.set(room.toString(), { ...stored, room });
    }
    for (const [room, at] of (await readStoredJson(this.#storage, this.#leftKey, times)) ?? [])
      this.#leftAt.set(room, at);
    for (const room of [...rooms, ...this.stays.map((stay) => stay.room)]) {
      const at = new Date((await this.#storage.get(this.#lastMessageKey(room.toString()))) ?? Number.NaN);
      if (!Number.isNaN(at.getTime())) this.#lastMessageAt.set(room.toString(), at);
    }
  }

  /** The rooms that operators asked the bot into. */
  get stays(): readonly Stay[] {
    return [...this.#stays.values()];
  }

  stay(room: Jid): Stay | undefined {
    return this.#stays.get(room.bare.toString());
  }

  async remember(stay: Stay): Promise<void> {
    this.#stays.set(stay.room.toString(), stay);
    await this.#write();
  }

  /** Forgets a room that the bot leaves for good, except for the time when it left. */
  async forget(room: Jid): Promise<void> {
    const key = room.bare.toString();
    this.#lastMessageAt.delete(key);
    this.#unwritten.delete(key);
    const wasAsked = this.#stays.delete(key);
    this.#leftAt.set(key, new Date());
    await this.#storage.set(this.#leftKey, JSON.stringify([...this.#leftAt]));
    await this.#storage.set(this.#lastMessageKey(key), undefined);
    if (wasAsked) await this.#write();
  }

  /** When the bot left a room for good, if it did lately. */
  leftAt(room: Jid): Date | undefined {
    return this.#leftAt.get(room.bare.toString());
  }

  /** When the last message arrived in a room while the bot was there. */
  lastMessageAt(room: Jid): Date | undefined {
    return this.#lastMessageAt.get(room.bare.toString());
  }

  /** A message arrived. @param at its time by the room's clock; a time in the future counts as now */
  noteMessage(room: Jid, at: Date): void {
    const key = room.bare.toString();
    const before = this.#lastMessageAt.get(key)?.getTime() ?? 0;
    this.#lastMessageAt.set(key, new Date(Math.max(before, Math.min(at.getTime(), Date.now()))));
    this.#unwritten.add(key);
    this.#timer ??= setTimeout(() => this.#background.run('room memory', () => this.flush()), WRITE_MS);
  }

  /** Writes pending changes now. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const rooms = [...this.#unwritten];
    this.#unwritten.clear();
    await Promise.all(
      rooms.map((room) => this.#storage.set(this.#lastMessageKey(room), this.#lastMessageAt.get(room)?.toISOString())),
    );
  }

  get #leftKey(): string {
    return `left ${this.#account}`;
  }

  #lastMessageKey(room: string): string {
    return `heard ${this.#account} ${room}`;
  }

  #write(): Promise<void> {
    const stays = this.stays.map(({ room, ...rest }) => ({ ...rest, room: room.toString() }));
    return this.#storage.set(`rooms ${this.#account}`, stays.length === 0 ? undefined : JSON.stringify(stays));
  }
}
