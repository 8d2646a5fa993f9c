/** Stores the roster between runs of the program, so that a server with versioning sends only changes (RFC 6121 §2.6). */
import { StreamError } from '../errors.js';
import type { Jid } from '../jid/jid.js';
import type { Storage } from '../storage.js';
import { el, type Element } from '../xml/element.js';
import { serialize } from '../xml/serialize.js';
import { parseElement } from '../xml/stream-parser.js';
import { NS_ROSTER, readRosterEntry, writeRosterItem, type RosterEntry, type RosterItem } from './roster-item.js';

/** A roster and its version, as named by the server. */
export interface VersionedRoster {
  readonly version: string;
  readonly items: Iterable<RosterItem>;
}

/** In characters; a larger roster is not stored, but requested in full each time. */
const MAX_LENGTH = 300_000;

/** The stored roster of one account. */
export class RosterCache {
  readonly #storage: Storage;
  readonly #key: string;
  #latest: VersionedRoster | undefined;
  #writing: Promise<void> | undefined;

  constructor(storage: Storage, account: Jid) {
    this.#storage = storage;
    this.#key = `roster ${account.toString()}`;
  }

  /** Loads the stored roster; `undefined` if there is none or it is damaged. */
  async load(): Promise<VersionedRoster | undefined> {
    const text = await this.#storage.get(this.#key);
    const query = text === undefined ? undefined : tryParse(text);
    const version = query?.attr('ver');
    if (query === undefined || version === undefined) return undefined;
    return { version, items: query.children('item').map(readRosterEntry).filter(isItem) };
  }

  /** Stores a roster, or deletes it. Changes during a write go into the next one. @throws what the storage throws */
  keep(roster: VersionedRoster | undefined): Promise<void> {
    this.#latest = roster;
    this.#writing ??= this.#write();
    return this.#writing;
  }

  async #write(): Promise<void> {
    try {
      let written: VersionedRoster | undefined;
      do {
        // All pushes of one chunk share one write.
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

/** A damaged cache counts as none: the server has the roster. */
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
