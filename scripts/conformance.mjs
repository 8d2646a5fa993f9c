/**
 * Writes docs/conformance.md: what the specifications ask of a client, and the tests that prove it.
 *
 *   node scripts/conformance.mjs            # writes the page
 *   node scripts/conformance.mjs --check    # writes nothing; fails when the page is not current or something is amiss
 *
 * The requirements are in docs/requirements/*.toml; the README there says how they are written, and how a test names those it proves.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parse } from 'smol-toml';

const ROOT = new URL('../', import.meta.url);
const PAGE = new URL('docs/conformance.md', ROOT);
const LEVELS = ['MUST', 'MUST NOT', 'SHOULD', 'SHOULD NOT', 'MAY'];
/** The order of the chapters; a file that is not named here comes after these. */
const ORDER = ['rfc6120', 'rfc6121', 'rfc7590', 'rfc7622', 'rfc7395', 'rfc5802', 'rfc7677'];

/** Ids of one section, between brackets: `[RFC6120-8.1.2.1-b,c]`. */
const IDS = /\[((?:RFC\d+|XEP-\d+|pitfall)-[^\]\s]+)\]/g;
/** A test: the comment lines right above it, and its title, which is the first argument of `t.test(…)` or `test(…)`. */
const TEST = /((?:^[ \t]*\/\/.*\n)*)^.*\btest\(\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)"|`((?:\\.|[^`\\])*)`)/gm;

const problems = [];
const chapters = filesOf('docs/requirements', '.toml').map(readChapter).sort(byOrder);
const requirements = new Map(
  chapters.flatMap(({ sections }) => sections.flatMap((one) => one.requirements)).map((one) => [one.id, one]),
);
for (const file of filesOf('test', '.ts')) collectTests(file);
for (const requirement of requirements.values()) judge(requirement);
finish(page());

/** The files below a folder whose names end so, in the order of their names. */
function filesOf(folder, ending) {
  const names = readdirSync(new URL(folder, ROOT), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith(ending),
  );
  return names.map((name) => `${folder}/${name}`).toSorted();
}

/** One specification: its sections, and their requirements. */
function readChapter(file) {
  const { title, prefix, link, ...tables } = parse(readFileSync(new URL(file, ROOT), 'utf8'));
  const sections = Object.entries(tables).map(([heading, entries]) => ({
    heading,
    requirements: Object.entries(entries).map(([key, entry]) => readRequirement(file, prefix, heading, key, entry)),
  }));
  return { name: basename(file, '.toml'), title, link, sections };
}

/** One requirement. Its id is made of the prefix of its file, the number that its section's heading begins with, and its key. */
function readRequirement(file, prefix, heading, key, { not, ...rest }) {
  const [level, ...others] = Object.keys(rest);
  const [number] = /^[\d.]+(?= )/.exec(heading) ?? [];
  const id = [prefix, number, key].filter((part) => part !== undefined).join('-');
  if (others.length > 0 || !LEVELS.includes(level))
    problems.push(`${file}: ${id} needs one level of ${LEVELS.join(', ')}`);
  return { id, level, text: rest[level], not, tests: [] };
}

/** Enters the tests of a file at the requirements that they name, in their title or in the comment above it. */
function collectTests(file) {
  const source = readFileSync(new URL(file, ROOT), 'utf8');
  for (const [, comment, ...quoted] of source.matchAll(TEST)) {
    const title = (quoted.find((text) => text !== undefined) ?? '').replaceAll(/\\(.)/g, '$1');
    for (const [, ids] of `${comment} ${title}`.matchAll(IDS)) {
      for (const id of eachOf(ids)) {
        const requirement = requirements.get(id);
        if (requirement === undefined) problems.push(`${file}: '${title}' names ${id}, which does not exist`);
        else requirement.tests.push({ file, title: title.replaceAll(IDS, '').trim() });
      }
    }
  }
  for (const [ids] of source.replaceAll(TEST, '').matchAll(IDS)) problems.push(`${file}: ${ids} stands above no test`);
}

/** `RFC6120-8.1.2.1-b,c` is `RFC6120-8.1.2.1-b` and `RFC6120-8.1.2.1-c`. */
function eachOf(ids) {
  const [first = '', ...others] = ids.split(',');
  return [first, ...others.map((key) => first.slice(0, first.lastIndexOf('-') + 1) + key)];
}

function judge({ id, not, tests }) {
  if (tests.length === 0 && not === undefined) problems.push(`${id} has neither a test nor a reason`);
  if (tests.length > 0 && not !== undefined) problems.push(`${id} has a test, and a reason why it is not done`);
}

function page() {
  return [
    '# Conformance\n',
    'What the specifications ask of a client, in our own words, and the tests that prove it, or the reason why it is not done. Below them is what',
    'other clients got wrong. Written by `node scripts/conformance.mjs` from [docs/requirements](requirements/README.md) and from the titles of the tests.\n',
    ...table(
      ['Specification', 'Asked', 'Proven by tests', 'Not done, or not ours to do', 'Open'],
      chapters.map(countsOf),
    ),
    ...chapters.flatMap(chapterPage),
  ].join('\n');
}

function countsOf({ title, sections }) {
  const all = sections.flatMap((section) => section.requirements);
  const proven = all.filter(({ tests }) => tests.length > 0).length;
  const left = all.filter(({ not }) => not !== undefined).length;
  return [`[${title}](#${anchor(title)})`, all.length, proven, left, all.length - proven - left];
}

function chapterPage({ title, link, sections }) {
  const rows = sections.flatMap((section) => [
    [`**${section.heading}**`, '', ''],
    ...section.requirements.map(requirementRow),
  ]);
  const source = link === undefined ? [] : [`<${link}>\n`];
  return [`\n## ${title}\n`, ...source, ...table(['Id', 'What is asked', 'Proven by'], rows)];
}

function requirementRow({ id, level, text, not, tests }) {
  const links = tests.map(({ file, title }) => `[${cell(title)}](../${file})`);
  const proof = not === undefined ? links.join('<br>') || 'nothing yet' : `*${cell(not)}*`;
  return [id, `${level}: ${cell(text)}`, proof];
}

function table(head, rows) {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}

/** Text that stands in a cell of a table, and in the brackets of a link, as what it is. */
function cell(text) {
  return text.replaceAll(/[\\|<>[\]*_`]/g, '\\$&').replaceAll(/\s+/g, ' ');
}

/** The name that a heading has in links, as GitHub makes it. */
function anchor(heading) {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}

function finish(text) {
  const check = process.argv.includes('--check');
  if (check && currentPage() !== `${text}\n`)
    problems.push('docs/conformance.md is not current: run node scripts/conformance.mjs');
  if (!check) writeFileSync(PAGE, `${text}\n`);
  process.stderr.write(problems.map((problem) => `${problem}\n`).join(''));
  process.exitCode = problems.length > 0 && check ? 1 : 0;
}

function currentPage() {
  try {
    return readFileSync(PAGE, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function byOrder(a, b) {
  const place = ({ name }) =>
    ORDER.includes(name) ? ORDER.indexOf(name) : name === 'pitfalls' ? Infinity : ORDER.length;
  return place(a) - place(b) || (a.name < b.name ? -1 : 1);
}
