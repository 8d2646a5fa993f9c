/** The codecs of archives: queries, results, the end of a page, and metadata. */
import { Jid } from '../../xmpp-core/jid/jid.js';
import { el, type Element } from '../../xmpp-core/xml/element.js';
import { childForm, fieldBoolean, fieldValue, fieldValues, submitForm, writeDataForm } from '../xep-0004-data-forms.js';
import {
  readPage,
  readPageRequest,
  writePage,
  writePageRequest,
  type Page,
  type PageRequest,
} from '../xep-0059-result-set-management.js';
import { readDateTime, writeDateTime } from '../xep-0082-date-time.js';
import { readForwarded, writeForwarded, type Forwarded } from '../xep-0297-stanza-forwarding.js';

/** The namespace of archives. */
export const NS_MAM = 'urn:xmpp:mam:2';
/** The feature of archives that support filters by id, flipped pages and metadata (§7). */
export const NS_MAM_EXTENDED = 'urn:xmpp:mam:2#extended';
/** The feature of archives that can leave out messages of rooms. */
export const NS_MAM_GROUPCHAT_FIELD = 'urn:xmpp:mam:2#groupchat-field';

/** Which messages to return (§4.1). */
export interface ArchiveFilter {
  /** Only messages from or to this JID; a bare JID matches every resource. In a room's archive: only messages of that occupant. */
  readonly with?: Jid;
  /** Only from this time on. */
  readonly start?: Date;
  /** Only up to this time. */
  readonly end?: Date;
  /** Only messages after, or before, the one with that id. */
  readonly afterId?: string;
  readonly beforeId?: string;
  /** Only the messages with these ids. */
  readonly ids?: readonly string[];
  /** Whether the account's archive also returns messages of rooms. */
  readonly includeGroupchat?: boolean;
}

/** The payload of a query. */
export interface ArchiveRequest {
  readonly queryId?: string;
  readonly filter: ArchiveFilter;
  readonly page?: PageRequest;
  /** Returns the page with its last message first. */
  readonly flipPage?: boolean;
}

/** Writes a query. */
export function writeArchiveRequest({ queryId, filter, page, flipPage = false }: ArchiveRequest): Element {
  const { start, end, afterId, beforeId, ids, includeGroupchat } = filter;
  const form = submitForm(NS_MAM, {
    with: filter.with?.toString(),
    start: start === undefined ? undefined : writeDateTime(start),
    end: end === undefined ? undefined : writeDateTime(end),
    'after-id': afterId,
    'before-id': beforeId,
    ids,
    'include-groupchat': includeGroupchat === undefined ? undefined : String(includeGroupchat),
  });
  const isFiltered = form.fields.length > 1;
  return el(
    'query',
    NS_MAM,
    { queryid: queryId },
    isFiltered ? writeDataForm(form) : undefined,
    page === undefined ? undefined : writePageRequest(page),
    flipPage ? el('flip-page', NS_MAM) : undefined,
  );
}

/** Reads a query; `undefined` for any other element. */
export function readArchiveRequest(query: Element): ArchiveRequest | undefined {
  if (!query.is('query', NS_MAM)) return undefined;
  const form = childForm(query);
  const queryId = query.attr('queryid');
  const page = readPageRequest(query);
  const ids = fieldValues(form, 'ids');
  const filter = {
    with: Jid.fromWire(fieldValue(form, 'with')),
    start: readDateTime(fieldValue(form, 'start')),
    end: readDateTime(fieldValue(form, 'end')),
    afterId: fieldValue(form, 'after-id'),
    beforeId: fieldValue(form, 'before-id'),
    ids: ids.length === 0 ? undefined : ids,
    includeGroupchat: fieldBoolean(form, 'include-groupchat'),
  };
  return {
    ...(queryId === undefined ? {} : { queryId }),
    filter: withoutUndefined(filter),
    ...(page === undefined ? {} : { page }),
    ...(query.child('flip-page') === undefined ? {} : { flipPage: true }),
  };
}

/** One result of a query (§4.2). */
export interface ArchiveResult {
  readonly queryId?: string;
  /** The id of the message in the archive. */
  readonly id: string;
  /** Absent if the message was removed from the archive (§3.2), or is unreadable. */
  readonly forwarded?: Forwarded;
}

/** Reads a result; `undefined` for any other element, or without an id. */
export function readArchiveResult(result: Element): ArchiveResult | undefined {
  const id = result.attr('id');
  if (!result.is('result', NS_MAM) || id === undefined || id === '') return undefined;
  const queryId = result.attr('queryid');
  const forwarded = readForwarded(result);
  return {
    ...(queryId === undefined ? {} : { queryId }),
    id,
    ...(forwarded === undefined ? {} : { forwarded }),
  };
}

/** Writes a result. */
export function writeArchiveResult({ queryId, id, forwarded }: ArchiveResult): Element {
  return el(
    'result',
    NS_MAM,
    { queryid: queryId, id },
    forwarded === undefined ? undefined : writeForwarded(forwarded),
  );
}

/** The end of a page (§4.3). */
export interface ArchivePage {
  /** Whether this is the last page. */
  readonly complete: boolean;
  /** Whether another query will return the same result. */
  readonly stable: boolean;
  readonly page?: Page;
}

/** Reads the end of a page; `undefined` for any other element. */
export function readArchivePage(fin: Element): ArchivePage | undefined {
  if (!fin.is('fin', NS_MAM)) return undefined;
  const page = readPage(fin);
  return {
    complete: isTrue(fin.attr('complete')),
    stable: !isFalse(fin.attr('stable')),
    ...(page === undefined ? {} : { page }),
  };
}

/** Writes the end of a page. */
export function writeArchivePage({ complete, stable, page = {} }: ArchivePage): Element {
  const attributes = { complete: complete ? true : undefined, stable: stable ? undefined : false };
  return el('fin', NS_MAM, attributes, writePage(page));
}

/** The first or last message of an archive. */
export interface ArchiveEnd {
  readonly id: string;
  readonly at: Date;
}

/** The range of messages in an archive (§5); absent ends mean that it is empty. */
export interface ArchiveMetadata {
  readonly start?: ArchiveEnd;
  readonly end?: ArchiveEnd;
}

/** Reads the metadata, also from Bind 2; `undefined` for any other element. */
export function readArchiveMetadata(metadata: Element): ArchiveMetadata | undefined {
  if (!metadata.is('metadata', NS_MAM)) return undefined;
  return withoutUndefined({ start: readEnd(metadata.child('start')), end: readEnd(metadata.child('end')) });
}

/** Writes the metadata. */
export function writeArchiveMetadata({ start, end }: ArchiveMetadata): Element {
  return el('metadata', NS_MAM, {}, writeEnd('start', start), writeEnd('end', end));
}

function readEnd(end: Element | undefined): ArchiveEnd | undefined {
  const id = end?.attr('id');
  const at = readDateTime(end?.attr('timestamp'));
  return id === undefined || at === undefined ? undefined : { id, at };
}

function writeEnd(name: string, end: ArchiveEnd | undefined): Element | undefined {
  return end === undefined ? undefined : el(name, NS_MAM, { id: end.id, timestamp: writeDateTime(end.at) });
}

function isTrue(value: string | undefined): boolean {
  return value === 'true' || value === '1';
}

function isFalse(value: string | undefined): boolean {
  return value === 'false' || value === '0';
}

/** A copy without the properties that are `undefined`. */
function withoutUndefined<Value extends object>(
  value: Value,
): { [Key in keyof Value]?: Exclude<Value[Key], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as {
    [Key in keyof Value]?: Exclude<Value[Key], undefined>;
  };
}
