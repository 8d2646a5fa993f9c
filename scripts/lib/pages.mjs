/**
 * Pages that are made by a command: how they are put together, written, and checked to be current.
 *
 * A committed page says what is proven. Which tests prove it is in the longer page of the same name in artifacts/, which is not committed: it changes
 * with every test that gets another title or another place.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { ROOT } from './tests.mjs';

/** The lines of a table in Markdown. */
export function table(head, rows) {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}

/** Text that stands in a cell of a table, and in the brackets of a link, as what it is. */
export function cell(text) {
  return text.replaceAll(/[\\|<>[\]*_`]/g, '\\$&').replaceAll(/\s+/g, ' ');
}

/** The name that a heading has in links, as GitHub makes it. */
export function anchor(heading) {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}

/** The links to tests, from a page in artifacts/. */
export function linksTo(tests) {
  return tests.map(({ file, title }) => `[${cell(title)}](../${file})`).join('<br>');
}

/**
 * Writes pages; with `--check` on the command line the committed ones are not written, but compared with what is there. Problems are
 * reported; they fail the command only with `--check`, so that a page can be looked at while it is incomplete.
 * @param pages committed texts by their paths from the root
 * @param problems what is wrong with what the pages are made of
 * @param command what makes the pages current
 * @param artifacts texts by their names in artifacts/
 */
export function finish(pages, problems, command, artifacts = {}) {
  const check = process.argv.includes('--check');
  const stale = Object.entries(pages).filter(([path, text]) => current(path) !== text);
  if (!check) for (const [path, text] of stale) writeFileSync(new URL(path, ROOT), text);
  mkdirSync(new URL('artifacts', ROOT), { recursive: true });
  for (const [name, text] of Object.entries(artifacts)) writeFileSync(new URL(`artifacts/${name}`, ROOT), text);
  const findings = [...problems, ...(check ? stale.map(([path]) => `${path} is not current: run ${command}`) : [])];
  process.stderr.write(findings.map((finding) => `${finding}\n`).join(''));
  if (check && findings.length > 0) process.exitCode = 1;
}

function current(path) {
  try {
    return readFileSync(new URL(path, ROOT), 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
