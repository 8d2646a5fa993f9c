/** The payloads of archives: queries, results, the end of a page, and what an archive says of itself. */
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

export const NS_MAM = 'urn:xmpp:mam:2';
/** Announced by archives that can be filtered by ids, flip pages and tell of themselves (§7). */
export const NS_MAM_EXTENDED = 'urn:xmpp:mam:2#extended';
/** Announced by archives that can leave out the messages of rooms. */
export const NS_MAM_GROUPCHAT_FIELD = 'urn:xmpp:mam:2#groupchat-field';

/** Which messages of an archive are wanted (§4.1). */
export interface ArchiveFilter {
  /** Only what went to or came from there; bare, it means every resource. In a room's archive: only what that person said. */
  readonly with?: Jid;
  /** Not before that moment. */
  readonly start?: Date;
  /** Not after that moment. */
  readonly end?: Date;
  /** Only what follows the message of that id, or precedes it. */
  readonly afterId?: string;
  readonly beforeId?: string;
  /** Only the messages of these ids. */
  readonly ids?: readonly string[];
  /** Whether the account's archive shall bring what was said in rooms, too. */
  readonly includeGroupchat?: boolean;
}

/** A query on the wire. */
export interface ArchiveRequest {
  readonly queryId?: string;
  readonly filter: ArchiveFilter;
  readonly page?: PageRequest;
  /** The last of the page first. */
  readonly flipPage?: boolean;
}

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

export function readArchiveRequest(query: Element): ArchiveRequest | undefined {
  if (!query.is('query', NS_MAM)) return undefined;
  const form = childForm(query);
  const queryId = query.attr('queryid');
  const page = readPageRequest(query);
  const ids = fieldValues(form, 'ids');
  const filter = {
    with: Jid.tryParse(fieldValue(form, 'with')),
    start: readDateTime(fieldValue(form, 'start')),
    end: readDateTime(fieldValue(form, 'end')),
    afterId: fieldValue(form, 'after-id'),
    beforeId: fieldValue(form, 'before-id'),
    ids: ids.length === 0 ? undefined : ids,
    includeGroupchat: fieldBoolean(form, 'include-groupchat'),
  };
  return {
    ...(queryId === undefined ? {} : { queryId }),
    filter: given(filter),
    ...(page === undefined ? {} : { page }),
    ...(query.child('flip-page') === undefined ? {} : { flipPage: true }),
  };
}

/** One message of an archive, as it is sent to who asked (§4.2). */
export interface ArchiveResult {
  readonly queryId?: string;
  /** Its id in the archive. */
  readonly id: string;
  /** Absent where the message was removed from the archive (§3.2), or cannot be read. */
  readonly forwarded?: Forwarded;
}

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
  /** Whether nothing more is to come. */
  readonly complete: boolean;
  /** Whether the archive will say the same when it is asked again. */
  readonly stable: boolean;
  readonly page?: Page;
}

export function readArchivePage(fin: Element): ArchivePage | undefined {
  if (!fin.is('fin', NS_MAM)) return undefined;
  const page = readPage(fin);
  return {
    complete: isTrue(fin.attr('complete')),
    stable: !isFalse(fin.attr('stable')),
    ...(page === undefined ? {} : { page }),
  };
}

export function writeArchivePage({ complete, stable, page = {} }: ArchivePage): Element {
  const attributes = { complete: complete ? true : undefined, stable: stable ? undefined : false };
  return el('fin', NS_MAM, attributes, writePage(page));
}

/** One end of an archive. */
export interface ArchiveEnd {
  readonly id: string;
  readonly at: Date;
}

/** What an archive holds (§5); an empty one has neither end. */
export interface ArchiveMetadata {
  readonly start?: ArchiveEnd;
  readonly end?: ArchiveEnd;
}

/** Reads it; Bind 2 brings it, too. */
export function readArchiveMetadata(metadata: Element): ArchiveMetadata | undefined {
  if (!metadata.is('metadata', NS_MAM)) return undefined;
  return given({ start: readEnd(metadata.child('start')), end: readEnd(metadata.child('end')) });
}

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

/** Without the properties that are `undefined`. */
function given<Value extends object>(value: Value): { [Key in keyof Value]?: Exclude<Value[Key], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as {
    [Key in keyof Value]?: Exclude<Value[Key], undefined>;
  };
}
