/**
 * XEP-0082 XMPP Date and Time Profiles, 1.1.1 (Active). https://xmpp.org/extensions/xep-0082.html
 *
 * Moments (§3.2) and days (§3.1) as every extension writes them. What is written is in UTC, which tells nobody where we are (§6).
 *
 * Left out: the Time profile (§3.3), which no extension here uses, and the legacy format without dashes (§4).
 */

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const DATE_TIME = /^(\d{4}-\d{2}-\d{2})T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

/** The moment a DateTime names, or `undefined` when it is none. */
export function readDateTime(text: string | undefined): Date | undefined {
  const day = DATE_TIME.exec(text ?? '')?.[1];
  if (text === undefined || readDate(day) === undefined) return undefined;
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** UTC, to the millisecond. */
export function writeDateTime(date: Date): string {
  return date.toISOString();
}

/** The beginning, in UTC, of the day that a Date names, or `undefined` when there is no such day. */
export function readDate(text: string | undefined): Date | undefined {
  if (text === undefined || !DATE.test(text)) return undefined;
  const date = new Date(`${text}T00:00:00Z`);
  // JavaScript makes the 30th of February the 2nd of March.
  return Number.isNaN(date.getTime()) || writeDate(date) !== text ? undefined : date;
}

/** The day that a moment lies in, in UTC. */
export function writeDate(date: Date): string {
  return date.toISOString().slice(0, 10);
}
