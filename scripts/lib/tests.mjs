/** The tests of this project as texts: what the pages that are made from them read. */
import { readdirSync, readFileSync } from 'node:fs';

export const ROOT = new URL('../../', import.meta.url);

/** A test: the comment lines right above it, and its title, which is the first argument of `t.test(…)` or `test(…)`. */
const TEST = /((?:^[ \t]*\/\/.*\n)*)^.*\btest\(\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|`((?:\\.|[^`\\])*)`)/gm;

/** The files below a folder whose names end so, in the order of their names, as paths from the root. */
export function filesOf(folder, ending) {
  return readdirSync(new URL(folder, ROOT), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => `${folder}/${name}`)
    .toSorted();
}

/**
 * Finds what tests say they prove: the matches of `pattern` in a test's title, or in the comment above it.
 * @param pattern global, with what is wanted in its first group
 * @returns the tests, each with its file, its title without the matches and what it names; and what was found above no test
 */
export function testsNaming(pattern) {
  const tests = [];
  const strays = [];
  for (const file of filesOf('test', '.ts')) {
    const source = readFileSync(new URL(file, ROOT), 'utf8');
    for (const [, comment, ...quoted] of source.matchAll(TEST)) {
      const title = (quoted.find((text) => text !== undefined) ?? '').replaceAll(/\\(.)/g, '$1');
      const names = [...`${comment} ${title}`.matchAll(pattern)].map(([, name]) => name);
      if (names.length > 0) tests.push({ file, title: title.replaceAll(pattern, '').trim(), names });
    }
    for (const [, name] of source.replaceAll(TEST, '').matchAll(pattern)) strays.push({ file, name });
  }
  return { tests, strays };
}
