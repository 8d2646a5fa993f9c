/** The items of a roster as we hold them, and their bound. */
import type { Jid } from '../jid/jid.js';
import type { RosterEntry, RosterItem } from './roster-item.js';

/** Characters of all addresses, names and groups together. With `ITEM_COST` that is room for some ten thousand contacts. */
const MAX_COST = 4_000_000;
/** What an item takes beside its texts, in the same measure. */
const ITEM_COST = 200;

/** What an entry did to the items. */
export interface RosterChange {
  readonly item: RosterItem;
  readonly previous: RosterItem | undefined;
}

/** At most one item an address, whichever way the address was written. */
export class RosterItems {
  readonly #items = new Map<string, RosterItem>();
  #cost = 0;
  #isWhole = true;

  /** By prepared address. */
  get all(): ReadonlyMap<string, RosterItem> {
    return this.#items;
  }

  /** False once something did not fit in any more: then a version of the server's says more than we hold. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  get(jid: Jid): RosterItem | undefined {
    return this.#items.get(jid.toString());
  }

  /** Takes an entry in. @returns what it changed, or `undefined` when nothing: not there to be removed, or no room for it */
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
