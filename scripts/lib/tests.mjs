/** The tests of this project as texts: what the pages that are made from them read. */
import { readdirSync, readFileSync } from 'node:fs';

export const ROOT = new URL('../../', import.meta.url);

/** A test: the comment lines right above it, and its title, which is the first argument of `t.test(…)` or `test(…)`. */
const TEST = /((?:^[ \t]*\/\/.*\n)+)^.*\btest\(\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|`((?:\\.|[^`\\])*)`)/gm;

/** The files below a folder whose names end so, in the order of their names, as paths from the root. */
export function filesOf(folder, ending) {
  return readdirSync(new URL(folder, ROOT), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => `${folder}/${name}`)
    .toSorted();
}

/**
 * Finds what tests prove: they name it by its id, in the comment above them. Their titles are free.
 * @param pattern global, with the id in its first group
 * @returns the tests, each with its file, its title and the ids; and the ids that stand above no test
 */
export function testsNaming(pattern) {
  const tests = [];
  const strays = [];
  for (const file of filesOf('test', '.ts')) {
    const source = readFileSync(new URL(file, ROOT), 'utf8');
    for (const [, comment, ...quoted] of source.matchAll(TEST)) {
      const title = (quoted.find((text) => text !== undefined) ?? '').replaceAll(/\\(.)/g, '$1');
      const names = [...comment.matchAll(pattern)].map(([, name]) => name);
      if (names.length > 0) tests.push({ file, title, names });
    }
    for (const [, name] of source.replaceAll(TEST, '').matchAll(pattern)) strays.push({ file, name });
  }
  return { tests, strays };
}
