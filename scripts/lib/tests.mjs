/** The tests of this project as texts: what the pages that are made from them read. */
import { readdirSync, readFileSync } from 'node:fs';

export const ROOT = new URL('../../', import.meta.url);

/** A test: the comment lines right above it, its indentation, and its title, which is the first argument of `t.test(…)` or `test(…)`. */
const TEST =
  /((?:^[ \t]*\/\/.*\n)*)^([ \t]*).*\btest\(\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|`((?:\\.|[^`\\])*)`)/gm;

/** The files below a folder whose names end so, in the order of their names, as paths from the root; those of installed packages are not ours. */
export function filesOf(folder, ending) {
  return readdirSync(new URL(folder, ROOT), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending) && !name.includes('node_modules/'))
    .map((name) => `${folder}/${name}`)
    .toSorted();
}

/**
 * Finds what tests prove: they name it by its id, in the comment above them. Their titles are free.
 * @param pattern global, with the id in its first group
 * @returns the tests, each with its file, its title, the titles of the tests around it (the outermost first) and the ids; and the ids that stand above
 *   no test
 */
export function testsNaming(pattern) {
  const found = filesOf('test', '.ts').map((file) => testsIn(file, readFileSync(new URL(file, ROOT), 'utf8'), pattern));
  return { tests: found.flatMap(({ tests }) => tests), strays: found.flatMap(({ strays }) => strays) };
}

function testsIn(file, source, pattern) {
  const tests = [];
  let around = [];
  for (const [, comment, { length: indent }, ...quoted] of source.matchAll(TEST)) {
    const title = (quoted.find((text) => text !== undefined) ?? '').replaceAll(/\\(.)/g, '$1');
    around = around.filter((one) => one.indent < indent);
    const ids = [...comment.matchAll(pattern)].map(([, id]) => id);
    if (ids.length > 0) tests.push({ file, title, within: around.map((one) => one.title), names: ids });
    around.push({ indent, title });
  }
  const strays = [...source.replaceAll(TEST, '').matchAll(pattern)].map(([, name]) => ({ file, name }));
  return { tests, strays };
}
