/** XEP-0082 Date and Time Profiles, 1.1.1. https://xmpp.org/extensions/xep-0082.html The DateTime profile (3.2) only. */

const DATE_TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

/** The moment a DateTime names, or `undefined` when it is none. */
export function readDateTime(text: string | undefined): Date | undefined {
  if (text === undefined || !DATE_TIME.test(text)) return undefined;
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

/** UTC, to the millisecond. */
export function writeDateTime(date: Date): string {
  return date.toISOString();
}
