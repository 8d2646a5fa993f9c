/** The scenarios of fixtures/streams as texts: what the pages that are made from them read (docs/fixtures.md). */
import { readFileSync } from 'node:fs';
import { filesOf, ROOT } from './tests.mjs';

/** All scenarios: each with its file, its title with the name of its folder, and what its header says that it covers, sections and ids of requirements apart. */
export function scenarios() {
  return filesOf('fixtures/streams', '.txt').map((file) => {
    const [header] = readFileSync(new URL(file, ROOT), 'utf8').split('\n\n', 1);
    const value = (name) =>
      new RegExp(`^${name}: (.*(?:\\n {3}.*)*)`, 'm').exec(header)?.[1]?.replaceAll(/\s+/g, ' ') ?? '';
    const covers = value('Covers').split(/; */).flatMap(eachSection);
    return {
      file,
      title: `${value('Title')} (${file.split('/')[2]})`,
      sections: covers.filter((one) => !one.startsWith('[')),
      ids: covers.flatMap((one) => (one.startsWith('[') ? [one.slice(1, -1)] : [])),
    };
  });
}

/** `XEP-0045 §7.2, §7.4` is two of them. */
function eachSection(covered) {
  const [specification, ...sections] = covered.split(/,? §/);
  return sections.length === 0 ? [covered] : sections.map((section) => `${specification} §${section}`);
}
