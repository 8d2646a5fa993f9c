/** What the scenarios cover, section by section. */
import type { Scenario } from './scenario.js';

interface Held {
  readonly scenario: Scenario;
  readonly holds: boolean;
}

/** A table as lines of text: each section that a scenario covers, how many there are, and how many of them hold. */
export function sectionTable(results: readonly Held[]): readonly string[] {
  const sections = new Map<string, Held[]>();
  for (const result of results) {
    for (const section of sectionsOf(result.scenario)) {
      sections.set(section, [...(sections.get(section) ?? []), result]);
    }
  }
  const rows = [...sections].toSorted(([one], [other]) => bySection(one, other));
  const width = Math.max(...rows.map(([section]) => section.length), 'section'.length);
  return [
    `${'section'.padEnd(width)}  scenarios  hold`,
    ...rows.map(([section, held]) => {
      const holding = held.filter(({ holds }) => holds).length;
      return `${section.padEnd(width)}  ${String(held.length).padStart(9)}  ${String(holding).padStart(4)}`;
    }),
  ];
}

/** Without the ids of requirements. */
export function sectionsOf({ covers }: Scenario): readonly string[] {
  return covers.filter((one) => !one.startsWith('['));
}

/** RFCs before XEPs; numbers as numbers. */
function bySection(one: string, other: string): number {
  return one.localeCompare(other, 'en', { numeric: true });
}
