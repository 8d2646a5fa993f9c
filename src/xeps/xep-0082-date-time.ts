/**
 * XEP-0082 XMPP Date and Time Profiles, 1.1.1 (Active). https://xmpp.org/extensions/xep-0082.html
 *
 * Date-times (§3.2) and dates (§3.1), as all extensions write them. We write UTC, so that our time zone is not revealed (§6).
 *
 * Left out: the Time profile (§3.3), which no extension here uses.
 */

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const DATE_TIME = /^(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

/** Reads a DateTime; `undefined` if it is invalid. */
export function readDateTime(text: string | undefined): Date | undefined {
  const day = DATE_TIME.exec(text ?? '')?.[1];
  if (text === undefined || readDate(day) === undefined) return undefined;
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** The old format of §4 and the usual mistakes: a space for the T, no time zone, a time zone without colon. */
const LEGACY =
  /^(\d{4})-?(\d{2})-?(\d{2})[T ](\d{2}:\d{2}:\d{2})(\.\d{1,9})? ?(?:(Z|UTC|GMT)|([+-]\d{2}):?(\d{2})?)?$/i;

/** Reads a DateTime, also in the old format (§4) and as careless servers write it. Without a time zone it is UTC. */
export function readAnyDateTime(text: string | undefined): Date | undefined {
  const [, year, month, day, time, fraction = '', , hours, minutes] = LEGACY.exec(text?.trim() ?? '') ?? [];
  if (year === undefined) return undefined;
  const zone = hours === undefined ? 'Z' : `${hours}:${minutes ?? '00'}`;
  return readDateTime(`${year}-${month}-${day}T${time}${fraction}${zone}`);
}

/** Writes a DateTime in UTC, with milliseconds. */
export function writeDateTime(date: Date): string {
  return date.toISOString();
}

/** Reads a Date as the start of that day in UTC; `undefined` if there is no such day. */
export function readDate(text: string | undefined): Date | undefined {
  if (text === undefined || !DATE.test(text)) return undefined;
  const date = new Date(`${text}T00:00:00Z`);
  // JavaScript turns the 30th of February into the 2nd of March.
  return Number.isNaN(date.getTime()) || writeDate(date) !== text ? undefined : date;
}

/** Writes the Date of a moment, in UTC. */
export function writeDate(date: Date): string {
  return date.toISOString().slice(0, 10);
}
