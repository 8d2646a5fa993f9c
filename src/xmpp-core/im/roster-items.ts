/** The items of a roster in memory, with a limit. */
import type { Jid } from '../jid/jid.js';
import type { RosterEntry, RosterItem } from './roster-item.js';

/** Characters of all JIDs, names and groups together. With `ITEM_COST` that is more than forty thousand contacts. */
const MAX_COST = 16_000_000;
/** The overhead of an item or group, in the same unit. */
const ITEM_COST = 200;

/** The effect of an entry on the items. */
export interface RosterChange {
  readonly item: RosterItem;
  readonly previous: RosterItem | undefined;
}

/** At most one item per prepared JID. */
export class RosterItems {
  readonly #items = new Map<string, RosterItem>();
  #cost = 0;
  #isWhole = true;

  /** By prepared JID. */
  get all(): ReadonlyMap<string, RosterItem> {
    return this.#items;
  }

  /** False once an entry exceeded the limit: the server's version then no longer describes our items. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  get(jid: Jid): RosterItem | undefined {
    return this.#items.get(jid.toString());
  }

  /** Applies an entry. @returns the change; `undefined` if the item to remove is absent, or the entry exceeds the limit */
  take(entry: RosterEntry): RosterChange | undefined {
    const key = entry.jid.toString();
    const previous = this.#items.get(key);
    const cost = 'removed' in entry ? 0 : costOf(entry);
    const total = this.#cost + cost - (previous === undefined ? 0 : costOf(previous));
    if (total > MAX_COST) {
      this.#isWhole = false;
      return undefined;
    }
    this.#cost = total;
    if (!('removed' in entry)) {
      this.#items.set(key, entry);
      return { item: entry, previous };
    }
    this.#items.delete(key);
    return previous === undefined ? undefined : { item: previous, previous };
  }
}

function costOf({ jid, name = '', groups }: RosterItem): number {
  const texts = jid.toString().length + name.length;
  return groups.reduce((cost, group) => cost + group.length + ITEM_COST, texts + ITEM_COST);
}
