/**
 * Writes docs/conformance.md: what the specifications ask of a client, and whether it is proven. artifacts/conformance.md has the tests and recorded
 * streams that prove it.
 *
 *   node scripts/conformance.mjs            # writes both
 *   node scripts/conformance.mjs --check    # writes only the latter; fails when the page is not current or something is wrong
 *
 * The requirements are in docs/requirements/*.toml; the README there says how they are written, and how a test names those it proves.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parse } from 'smol-toml';
import { anchor, cell, finish, linksTo, table } from './lib/pages.mjs';
import { scenarios } from './lib/scenarios.mjs';
import { filesOf, ROOT, testsNaming } from './lib/tests.mjs';

const LEVELS = ['MUST', 'MUST NOT', 'SHOULD', 'SHOULD NOT', 'MAY'];
/** The order of the chapters; a file that is not named here comes after these. */
const ORDER = ['rfc6120', 'rfc6121', 'rfc7590', 'rfc7622', 'rfc7395', 'rfc5802', 'rfc7677'];

/** Ids of one section, between brackets: `[RFC6120-8.1.2.1-b,c]`. */
const IDS = /\[((?:RFC\d+|XEP-\d+|pitfall)-[^\]\s]+)\]/g;

const problems = [];
const chapters = filesOf('docs/requirements', '.toml').map(readChapter).sort(byOrder);
const requirements = new Map(
  chapters.flatMap(({ sections }) => sections.flatMap((one) => one.requirements)).map((one) => [one.id, one]),
);
collectTests();
collectScenarios();
for (const requirement of requirements.values()) judge(requirement);
finish({ 'docs/conformance.md': page() }, problems, 'node scripts/conformance.mjs', { 'conformance.md': proofs() });

/** One specification: its sections, and their requirements. */
function readChapter(file) {
  const { title, prefix, link, ...tables } = parse(readFileSync(new URL(file, ROOT), 'utf8'));
  const sections = Object.entries(tables).map(([heading, entries]) => ({
    heading,
    name: sectionName(prefix, heading),
    scenarios: [],
    requirements: Object.entries(entries).map(([key, entry]) => readRequirement(file, prefix, heading, key, entry)),
  }));
  return { name: basename(file, '.toml'), title, link, sections };
}

/** One requirement. Its id is made of the prefix of its file, the number that its section's heading begins with, and its key. */
function readRequirement(file, prefix, heading, key, { not, ...rest }) {
  const [level, ...others] = Object.keys(rest);
  const id = [prefix, numberOf(heading), key].filter((part) => part !== undefined).join('-');
  if (others.length > 0 || !LEVELS.includes(level))
    problems.push(`${file}: ${id} needs one level of ${LEVELS.join(', ')}`);
  return { id, level, text: rest[level], not, tests: [] };
}

/** As the headers of scenarios say it: `RFC6120 §4.3.2`. */
function sectionName(prefix, heading) {
  return `${prefix} §${numberOf(heading)}`;
}

function numberOf(heading) {
  return /^[\d.]+(?= )/.exec(heading)?.[0];
}

/** Enters the scenarios at the requirements that they name, and at the sections that they cover. */
function collectScenarios() {
  const sections = new Map(chapters.flatMap((chapter) => chapter.sections).map((section) => [section.name, section]));
  for (const { file, title, ...covered } of scenarios()) {
    for (const id of covered.ids.flatMap(eachOf)) {
      const requirement = requirements.get(id);
      if (requirement === undefined) problems.push(`${file}: names ${id}, which does not exist`);
      else requirement.tests.push({ file, title });
    }
    for (const name of covered.sections) sections.get(name)?.scenarios.push({ file, title });
  }
}

/** Enters the tests at the requirements that they name. */
function collectTests() {
  const { tests, strays } = testsNaming(IDS);
  for (const { file, title, names } of tests) {
    for (const id of names.flatMap(eachOf)) {
      const requirement = requirements.get(id);
      if (requirement === undefined) problems.push(`${file}: '${title}' names ${id}, which does not exist`);
      else requirement.tests.push({ file, title });
    }
  }
  for (const { file, name } of strays) problems.push(`${file}: [${name}] stands above no test`);
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
    'What the specifications ask of a client, in our own words, and what proves that we do it, or the reason why we do not. Below them is what other clients',
    'got wrong. *Streams* are [recorded conversations](fixtures.md). `npm run pages` writes this page from [docs/requirements](requirements/README.md), and',
    '`artifacts/conformance.md`, which names each test and stream.\n',
    ...table(['Specification', 'Asked', 'Proven', 'Not done, or not ours to do', 'Open'], chapters.map(countsOf)),
    ...chapters.flatMap((chapter) => chapterPage(chapter, stateOf, () => '')),
    '',
  ].join('\n');
}

function proofs() {
  return [
    '# Conformance: the tests and streams that prove it\n',
    'In the row of a section are the streams that show it at work.',
    ...chapters.flatMap((chapter) => chapterPage(chapter, ({ tests }) => linksTo(tests), streamsOf)),
    '',
  ].join('\n');
}

function countsOf({ title, sections }) {
  const all = sections.flatMap((section) => section.requirements);
  const proven = all.filter(({ tests }) => tests.length > 0).length;
  const left = all.filter(({ not }) => not !== undefined).length;
  return [`[${title}](#${anchor(title)})`, all.length, proven, left, all.length - proven - left];
}

function chapterPage({ title, link, sections }, proofOf, besideHeading) {
  const rows = sections.flatMap((section) => [
    [`**${section.heading}**`, '', besideHeading(section)],
    ...section.requirements.map((one) => [one.id, `${one.level}: ${cell(one.text)}`, proofOf(one)]),
  ]);
  const source = link === undefined ? [] : [`<${link}>\n`];
  return [`\n## ${title}\n`, ...source, ...table(['Id', 'What is asked', 'Proven by'], rows)];
}

/** What kind of proof there is, or why there is none. */
function stateOf({ not, tests }) {
  if (not !== undefined) return `*${cell(not)}*`;
  const kinds = new Set(tests.map(({ file }) => (file.endsWith('.txt') ? 'streams' : 'tests')));
  return ['tests', 'streams'].filter((kind) => kinds.has(kind)).join(', ') || 'nothing yet';
}

/** The recorded streams in which a section is seen at work. */
function streamsOf({ scenarios }) {
  return linksTo(scenarios);
}

function byOrder(a, b) {
  const place = ({ name }) =>
    ORDER.includes(name) ? ORDER.indexOf(name) : name === 'pitfalls' ? Infinity : ORDER.length;
  return place(a) - place(b) || (a.name < b.name ? -1 : 1);
}
