/** The Unicode properties of a code point that names need. Each table is unpacked on first use: ASCII never needs it. */
import { BIDI_RUNS, JOINING_RUNS, PRECIS_RUNS, VIRAMA_RUNS } from './unicode-tables.js';

/**
 * The PRECIS derived property (RFC 8264 §8), combined with that of domain names (RFC 5892 §3):
 * P allowed in the IdentifierClass and in domain labels; I in the IdentifierClass, not in labels; F in the FreeformClass only;
 * J and O only in certain contexts (CONTEXTJ, CONTEXTO); D never; U not assigned yet, so never.
 */
export type PrecisProperty = 'P' | 'I' | 'F' | 'J' | 'O' | 'D' | 'U';

/**
 * The Bidi_Class, as far as RFC 5893 §2 distinguishes: L; R; A for AL; N for AN; E for EN; M for NSM, the marks; S for the separators
 * and neutrals (ES, CS, ET, ON, BN); X for everything that no label may hold.
 */
export type BidiClass = 'L' | 'R' | 'A' | 'N' | 'E' | 'M' | 'S' | 'X';

/** The Joining_Type: left, right, dual, transparent; U for the two that RFC 5892 A.1 does not need. */
export type JoiningType = 'L' | 'R' | 'D' | 'T' | 'U';

/** The PRECIS derived property of a code point. */
export const precisProperty = lookup(PRECIS_RUNS) as (codePoint: number) => PrecisProperty;

/** The Bidi_Class of a code point. */
export const bidiClass = lookup(BIDI_RUNS) as (codePoint: number) => BidiClass;

/** The Joining_Type of a code point. */
export const joiningType = lookup(JOINING_RUNS) as (codePoint: number) => JoiningType;

/** V for a virama (Canonical_Combining_Class 9), N for any other code point. */
export const virama = lookup(VIRAMA_RUNS) as (codePoint: number) => 'V' | 'N';

/** Names the first code point of a text, such as `U+00E9`, so that no invisible character hides in a log. */
export function codePointName(character: string): string {
  return `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/** A lookup function for one table, which it unpacks on the first call. */
function lookup(runs: readonly string[]): (codePoint: number) => string | undefined {
  let table: RunTable | undefined;
  return (codePoint) => {
    table ??= unpack(runs);
    return table.values[lastNotAbove(table.starts, codePoint)];
  };
}

/** Where each run begins, ascending from 0, and its value. */
interface RunTable {
  readonly starts: readonly number[];
  readonly values: readonly string[];
}

function unpack(runs: readonly string[]): RunTable {
  const starts: number[] = [];
  const values: string[] = [];
  let start = 0;
  for (const [, value = '', length = ''] of runs.join('').matchAll(/([A-Z])([0-9a-z]*)/g)) {
    starts.push(start);
    values.push(value);
    start += length === '' ? 1 : Number.parseInt(length, 36);
  }
  return { starts, values };
}

/** The index of the last number that is not above `wanted`, by binary search. */
function lastNotAbove(ascending: readonly number[], wanted: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((ascending[middle] ?? Infinity) <= wanted) low = middle;
    else high = middle - 1;
  }
  return low;
}
