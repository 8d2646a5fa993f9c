/** What an account remembers of its rooms from one run of the program to the next: into which it was asked, and when it last heard something. */
import { BoundedMap } from '../../../xmpp-core/bounded-map.js';
import { z } from 'zod';
import { Jid } from '../../../xmpp-core/jid/jid.js';
import type { Storage } from '../../../xmpp-core/storage.js';
import { readStored } from '../../stored-json.js';

/** A room that an operator asked the bot into. */
export interface Stay {
  /** Bare. */
  readonly room: Jid;
  readonly password?: string | undefined;
  /** Whether the bookmark of the room is ours to take away. */
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

/** So many rooms are remembered that the bot left; the oldest go first. */
const MAX_LEFT = 100;
/** Written down at most so often, in milliseconds: a lively room would else have the file written all the time. */
const WRITE_MS = 5_000;

export class RoomMemory {
  readonly #storage: Storage;
  readonly #account: string;
  readonly #tell: (work: Promise<void>) => void;
  readonly #stays = new Map<string, Stay>();
  readonly #heardAt = new Map<string, Date>();
  readonly #leftAt = new BoundedMap<string, Date>(MAX_LEFT);
  readonly #unwritten = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  /** @param tell takes writes that nobody waits for */
  constructor(storage: Storage, account: Jid, tell: (work: Promise<void>) => void) {
    this.#storage = storage;
    this.#account = account.toString();
    this.#tell = tell;
  }

  /** Reads what was written in an earlier run. @param rooms those that are configured */
  async load(rooms: readonly Jid[]): Promise<void> {
    for (const stored of (await readStored(this.#storage, `rooms ${this.#account}`, schema)) ?? []) {
      const room = Jid.tryParse(stored.room)?.bare;
      if (room !== undefined) this.#stays.set(room.toString(), { ...stored, room });
    }
    for (const [room, at] of (await readStored(this.#storage, this.#leftKey, times)) ?? []) this.#leftAt.set(room, at);
    for (const room of [...rooms, ...this.stays.map((stay) => stay.room)]) {
      const at = new Date((await this.#storage.get(this.#heardKey(room.toString()))) ?? Number.NaN);
      if (!Number.isNaN(at.getTime())) this.#heardAt.set(room.toString(), at);
    }
  }

  /** The rooms that the bot was asked into. */
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

  /** Forgets that the bot was asked into a room, and what it knew of it; but not when that was. */
  async forget(room: Jid): Promise<void> {
    const key = room.bare.toString();
    this.#heardAt.delete(key);
    this.#unwritten.delete(key);
    const wasAsked = this.#stays.delete(key);
    this.#leftAt.set(key, new Date());
    await this.#storage.set(this.#leftKey, JSON.stringify([...this.#leftAt]));
    await this.#storage.set(this.#heardKey(key), undefined);
    if (wasAsked) await this.#write();
  }

  /** When the bot gave a room up, if it did lately. */
  leftAt(room: Jid): Date | undefined {
    return this.#leftAt.get(room.bare.toString());
  }

  /** When something was last said in a room while the bot was there. */
  heardAt(room: Jid): Date | undefined {
    return this.#heardAt.get(room.bare.toString());
  }

  /** Something was said. @param at as the room tells it; one that lies in the future counts as now */
  heard(room: Jid, at: Date): void {
    const key = room.bare.toString();
    const before = this.#heardAt.get(key)?.getTime() ?? 0;
    this.#heardAt.set(key, new Date(Math.max(before, Math.min(at.getTime(), Date.now()))));
    this.#unwritten.add(key);
    this.#timer ??= setTimeout(() => this.#tell(this.flush()), WRITE_MS);
  }

  /** Writes down what is not written yet. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const rooms = [...this.#unwritten];
    this.#unwritten.clear();
    await Promise.all(
      rooms.map((room) => this.#storage.set(this.#heardKey(room), this.#heardAt.get(room)?.toISOString())),
    );
  }

  get #leftKey(): string {
    return `left ${this.#account}`;
  }

  #heardKey(room: string): string {
    return `heard ${this.#account} ${room}`;
  }

  #write(): Promise<void> {
    const stays = this.stays.map(({ room, ...rest }) => ({ ...rest, room: room.toString() }));
    return this.#storage.set(`rooms ${this.#account}`, stays.length === 0 ? undefined : JSON.stringify(stays));
  }
}
