/**
 * XEP-0059 Result Set Management, 1.0 (Stable). https://xmpp.org/extensions/xep-0059.html
 *
 * A long result in pages: what part is asked for, and what part came. Used by disco items, pubsub items and archives.
 */
import { el, type Element } from '../xmpp-core/xml/element.js';

export const NS_RSM = 'http://jabber.org/protocol/rsm';

/** The part of a result that is asked for. The ids are the service's own and mean nothing to us (§2.2). */
export interface PageRequest {
  /** How many items at most; 0 asks for their number only (§2.7). */
  readonly max?: number;
  /** What follows the item of that id. */
  readonly after?: string;
  /** What precedes the item of that id; the last page when it is empty (§2.5). */
  readonly before?: string;
  /** The page that begins with that item, counted from 0 (§2.6). */
  readonly index?: number;
}

/** The part of a result that came. An empty page has neither `first` nor `last`. */
export interface Page {
  readonly first?: string;
  readonly last?: string;
  /** The place of the first item in the whole result, from 0; it may be an estimate. */
  readonly firstIndex?: number;
  /** How many items there are in all; it may be an estimate. */
  readonly count?: number;
}

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

/** Reads the request in a payload; numbers that are none are left out. */
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

/** Reads what a payload says of the part that it brings. */
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
