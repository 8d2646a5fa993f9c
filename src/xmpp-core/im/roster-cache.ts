/** Keeps the roster from one run of the program to the next, so that a server with versioning sends only what changed (RFC 6121 §2.6). */
import { StreamError } from '../errors.js';
import type { Jid } from '../jid/jid.js';
import type { Storage } from '../storage.js';
import { el, type Element } from '../xml/element.js';
import { serialize } from '../xml/serialize.js';
import { parseElement } from '../xml/stream-parser.js';
import { NS_ROSTER, readRosterEntry, writeRosterItem, type RosterEntry, type RosterItem } from './roster-item.js';

/** A roster and the server's name for its state. */
export interface VersionedRoster {
  readonly version: string;
  readonly items: Iterable<RosterItem>;
}

/** In characters; a larger roster is asked for whole each time. */
const MAX_LENGTH = 300_000;

export class RosterCache {
  readonly #storage: Storage;
  readonly #key: string;
  #latest: VersionedRoster | undefined;
  #writing: Promise<void> | undefined;

  constructor(storage: Storage, account: Jid) {
    this.#storage = storage;
    this.#key = `roster ${account.toString()}`;
  }

  /** What was kept, or `undefined` when there is nothing that can be used. */
  async load(): Promise<VersionedRoster | undefined> {
    const text = await this.#storage.get(this.#key);
    const query = text === undefined ? undefined : tryParse(text);
    const version = query?.attr('ver');
    if (query === undefined || version === undefined) return undefined;
    return { version, items: query.children('item').map(readRosterEntry).filter(isItem) };
  }

  /** Keeps a roster, or forgets it; what is changed while a write is under way goes into the next. @throws what the storage throws */
  keep(roster: VersionedRoster | undefined): Promise<void> {
    this.#latest = roster;
    this.#writing ??= this.#write();
    return this.#writing;
  }

  async #write(): Promise<void> {
    try {
      let written: VersionedRoster | undefined;
      do {
        // The pushes of one chunk become one write.
        await Promise.resolve();
        written = this.#latest;
        await this.#storage.set(this.#key, asText(written));
      } while (written !== this.#latest);
    } finally {
      this.#writing = undefined;
    }
  }
}

function asText(roster: VersionedRoster | undefined): string | undefined {
  if (roster === undefined) return undefined;
  const items = [...roster.items].map(writeRosterItem);
  const text = serialize(el('query', NS_ROSTER, { ver: roster.version }, ...items));
  return text.length > MAX_LENGTH ? undefined : text;
}

/** What is damaged is as good as nothing: the server has it all. */
function tryParse(text: string): Element | undefined {
  try {
    return parseElement(text);
  } catch (error) {
    if (error instanceof StreamError) return undefined;
    throw error;
  }
}

function isItem(entry: RosterEntry | undefined): entry is RosterItem {
  return entry !== undefined && !('removed' in entry);
}
