/**
 * Writes docs/promises.md: which promises of the manual are proven by tests. artifacts/promises.md has the tests.
 *
 *   node scripts/promises.mjs            # writes both
 *   node scripts/promises.mjs --check    # writes only the latter; fails when the page is not current or a promise has no test
 *
 * A promise is a point of docs/manual.md that begins with an anchor, whose name is its id. A test names those it proves in brackets, in the comment right
 * above it: `// [promise-run-stop]`.
 */
import { readFileSync } from 'node:fs';
import { cell, finish, linksTo, table } from './lib/pages.mjs';
import { ROOT, testsNaming } from './lib/tests.mjs';

/** What belongs to commands of a later version, and cannot have tests yet. */
const LATER = /^(?:init|doctor)-/;

const problems = [];
const sections = readManual();
const promises = new Map(sections.flatMap((section) => section.promises).map((promise) => [promise.id, promise]));
collectTests();
finish({ 'docs/promises.md': page() }, problems, 'node scripts/promises.mjs', { 'promises.md': proofs() });

/** The sections of the manual that have promises, in their order. */
function readManual() {
  const seen = new Set();
  return readFileSync(new URL('docs/manual.md', ROOT), 'utf8')
    .split(/^#+ /m)
    .slice(1)
    .map((section) => {
      const [heading = ''] = section.split('\n', 1);
      const points = [...section.matchAll(/^- <a id="([a-z0-9-]+)"><\/a>(.+(?:\n {2}.+)*)/gm)];
      return {
        heading,
        promises: points.map(([, id, text]) => ({ id, text: text.replaceAll(/\s+/g, ' '), tests: [] })),
      };
    })
    .filter(({ promises }) => promises.length > 0)
    .map((section) => {
      for (const { id } of section.promises) {
        if (seen.has(id)) problems.push(`docs/manual.md: two promises are called ${id}`);
        seen.add(id);
      }
      return section;
    });
}

function collectTests() {
  const { tests, strays } = testsNaming(/\[promise-([^\]]+)\]/g);
  for (const { file, title, names } of tests) {
    for (const id of names) {
      const promise = promises.get(id);
      if (promise === undefined)
        problems.push(`${file}: '${title}' names promise-${id}, which the manual does not make`);
      else promise.tests.push({ file, title });
    }
  }
  for (const { file, name } of strays) problems.push(`${file}: [promise-${name}] stands above no test`);
  for (const { id, tests } of promises.values())
    if (tests.length === 0 && !LATER.test(id)) problems.push(`docs/manual.md: no test proves ${id}`);
}

function page() {
  const kept = [...promises.values()].filter(isProven).length;
  const idsOf = (ofSection, isWanted) => ofSection.filter(isWanted).map(link).join(', ');
  return [
    '# Promises\n',
    `[The manual](manual.md) makes ${promises.size} promises; tests prove ${kept} of them. A test names those it proves above its title, as \`[promise-run-stop]\`.`,
    'Which tests these are is in `artifacts/promises.md`, which `npm run pages` writes, as it does this page.\n',
    ...table(
      ['Section', 'Proven', 'Comes later'],
      sections.map(({ heading, promises }) => [
        heading,
        idsOf(promises, isProven),
        idsOf(promises, ({ id }) => LATER.test(id)),
      ]),
    ),
    '',
  ].join('\n');
}

function proofs() {
  return [
    '# Promises, and the tests that prove them',
    ...sections.flatMap(({ heading, promises }) => [
      `\n## ${heading}\n`,
      ...table(
        ['Promise', 'Proven by'],
        promises.map(({ id, text, tests }) => [`[${id}](../docs/manual.md#${id}): ${cell(text)}`, linksTo(tests)]),
      ),
    ]),
    '',
  ].join('\n');
}

function isProven({ tests }) {
  return tests.length > 0;
}

function link({ id }) {
  return `[${id}](manual.md#${id})`;
}
