/**
 * XEP-0059 Result Set Management, 1.0 (Stable). https://xmpp.org/extensions/xep-0059.html
 *
 * Pages of long results: requests for a page, and descriptions of a page. Used by disco items, pubsub items and archives.
 */
import { el, type Element } from '../xmpp-core/xml/element.js';

/** The namespace of result set management. */
export const NS_RSM = 'http://jabber.org/protocol/rsm';

/** The requested page of a result. Ids are assigned by the service and opaque to us (§2.2). */
export interface PageRequest {
  /** The most items in the page; 0 requests only the number of all items (§2.7). */
  readonly max?: number;
  /** The page after the item with that id. */
  readonly after?: string;
  /** The page before the item with that id; if empty, the last page (§2.5). */
  readonly before?: string;
  /** The page that starts at that index, from 0 (§2.6). */
  readonly index?: number;
}

/** The returned page of a result. An empty page has no `first` and `last`. */
export interface Page {
  readonly first?: string;
  readonly last?: string;
  /** The index of the first item in the whole result, from 0; possibly an estimate. */
  readonly firstIndex?: number;
  /** The number of all items; possibly an estimate. */
  readonly count?: number;
}

/** Writes a request for a page. */
export function writePageRequest({ max, after, before, index }: PageRequest): Element {
  return el(
    'set',
    NS_RSM,
    {},
    max === undefined ? undefined : el('max', NS_RSM, {}, String(max)),
    after === undefined ? undefined : el('after', NS_RSM, {}, after),
    before === undefined ? undefined : el('before', NS_RSM, {}, before),
    index === undefined ? undefined : el('index', NS_RSM, {}, String(index)),
  );
}

/** Reads the request for a page in a payload; invalid numbers are left out. */
export function readPageRequest(parent: Element): PageRequest | undefined {
  const set = parent.child('set', NS_RSM);
  if (set === undefined) return undefined;
  const max = readCount(set.childText('max'));
  const after = set.childText('after');
  const before = set.childText('before');
  const index = readCount(set.childText('index'));
  return {
    ...(max === undefined ? {} : { max }),
    ...(after === undefined ? {} : { after }),
    ...(before === undefined ? {} : { before }),
    ...(index === undefined ? {} : { index }),
  };
}

/** Reads the description of the page in a payload; `undefined` if there is none. */
export function readPage(parent: Element | undefined): Page | undefined {
  const set = parent?.child('set', NS_RSM);
  if (set === undefined) return undefined;
  const first = set.childText('first');
  const last = set.childText('last');
  const firstIndex = readCount(set.child('first')?.attr('index'));
  const count = readCount(set.childText('count'));
  return {
    ...(first === undefined ? {} : { first }),
    ...(last === undefined ? {} : { last }),
    ...(firstIndex === undefined ? {} : { firstIndex }),
    ...(count === undefined ? {} : { count }),
  };
}

/** Writes the description of a page. */
export function writePage({ first, last, firstIndex, count }: Page): Element {
  return el(
    'set',
    NS_RSM,
    {},
    first === undefined ? undefined : el('first', NS_RSM, { index: firstIndex }, first),
    last === undefined ? undefined : el('last', NS_RSM, {}, last),
    count === undefined ? undefined : el('count', NS_RSM, {}, String(count)),
  );
}

function readCount(text: string | undefined): number | undefined {
  return text !== undefined && /^\s*\d{1,15}\s*$/.test(text) ? Number(text) : undefined;
}
