/**
 * Writes docs/xeps.md and moltis-xmpp.doap (XEP-0453): the extensions that are implemented, and their versions. artifacts/xeps.md has the tests that
 * prove them.
 *
 *   node scripts/xeps.mjs            # writes all
 *   node scripts/xeps.mjs --check    # writes only the latter; fails when a page is not current or something is wrong
 *
 * Both are made of the header of each module, whose first line is `XEP-0308 Last Message Correction, 1.2.1 (Stable).` and the link. What follows is
 * what the module does; what it does not do is in a paragraph that begins with `Left out:`. Modules of the core that are about one extension have
 * such a header as well. A test names what it is about in brackets, as in `// [XEP-0308 §5]`.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { cell, finish, linksTo, table } from './lib/pages.mjs';
import { filesOf, ROOT, testsNaming } from './lib/tests.mjs';

const HEADER =
  /^XEP-(?<number>\d{4}) (?<title>.+), (?<version>[\d.]+(?:rc\d+)?) \((?<status>[A-Z][a-z]+)\)\. (?<link>https:\/\/xmpp\.org\/extensions\/xep-\d{4}\.html)$/;
/** What the XSF calls the stages of a specification since 2020; `Draft` was the name of `Stable`. */
const STATUSES = [
  'Experimental',
  'Stable',
  'Final',
  'Deferred',
  'Active',
  'Deprecated',
  'Obsolete',
  'Retracted',
  'Proposed',
];
/** The files named in DOAP as the ground everything stands on. */
const RFCS = [6120, 6121, 7395, 7590, 7622, 5802, 7677];

const problems = [];
const extensions = filesOf('src', '.ts')
  .flatMap(readModule)
  .toSorted((a, b) => a.number.localeCompare(b.number));
collectTests();
finish({ 'docs/xeps.md': page(), 'moltis-xmpp.doap': doap() }, problems, 'node scripts/xeps.mjs', {
  'xeps.md': proofs(),
});

/** What the header of a module says; nothing for a module that is not about one extension. */
function readModule(file) {
  const [, comment] = /^\/\*\*(.*?)\*\//s.exec(readFileSync(new URL(file, ROOT), 'utf8')) ?? [];
  const paragraphs = (comment ?? '')
    .replaceAll(/^[ \t]*\* ?/gm, '')
    .split(/\n[ \t]*\n/)
    .map((paragraph) => paragraph.trim().replaceAll(/\s*\n\s*/g, ' '));
  const [first = '', ...others] = paragraphs;
  const header = HEADER.exec(first)?.groups;
  const [, number] = /^xep-(\d{4})-/.exec(file.endsWith('/index.ts') ? basename(dirname(file)) : basename(file)) ?? [];
  if (header === undefined) {
    if (number !== undefined)
      problems.push(`${file}: its header does not begin with 'XEP-${number} Title, version (Status). link'`);
    return [];
  }
  if (number !== undefined && number !== header.number)
    problems.push(`${file}: its header is about XEP-${header.number}`);
  if (!header.link.endsWith(`xep-${header.number}.html`)) problems.push(`${file}: the link is to another XEP`);
  if (!STATUSES.includes(header.status)) problems.push(`${file}: '${header.status}' is no status of a XEP`);
  if (header.version === '0.0.0' || comment.includes('TODO'))
    problems.push(`${file}: its header does not say yet which version it implements, and how`);
  const leftOut = others.filter((paragraph) => paragraph.startsWith('Left out:'));
  return [
    { ...header, file, leftOut: leftOut.map((text) => text.slice('Left out:'.length).trim()).join(' '), tests: [] },
  ];
}

function collectTests() {
  const byNumber = new Map(extensions.map((extension) => [extension.number, extension]));
  if (byNumber.size < extensions.length) problems.push('two modules are about the same XEP');
  for (const { file, title, names } of testsNaming(/\[XEP-(\d{4})[^\]]*\]/g).tests) {
    for (const number of new Set(names)) byNumber.get(number)?.tests.push({ file, title });
  }
  for (const { number, tests } of extensions) if (tests.length === 0) problems.push(`no test names XEP-${number}`);
}

function page() {
  return [
    '# Extensions\n',
    `The ${extensions.length} XMPP extension protocols that are implemented here, each with the version it was written from, the status of that version, and what is left`,
    'out. Each is proven by tests. `npm run pages` writes this page from the headers of the modules, and `artifacts/xeps.md`, which names the tests.\n',
    ...table(['XEP', 'Title', 'Version', 'Status', 'Left out'], extensions.map(overview)),
    '',
  ].join('\n');
}

function overview({ number, title, version, status, link, file, leftOut }) {
  return [`[${number}](${link})`, `[${cell(title)}](../${file})`, version, status, cell(leftOut)];
}

function proofs() {
  const rows = extensions.map(({ number, title, tests }) => [number, cell(title), linksTo(tests)]);
  return ['# Extensions, and the tests that prove them\n', ...table(['XEP', 'Title', 'Proven by'], rows), ''].join(
    '\n',
  );
}

function doap() {
  const { name, description, version } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'));
  return `<?xml version='1.0' encoding='UTF-8'?>
<!-- Written by node scripts/xeps.mjs. -->
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'
         xmlns='http://usefulinc.com/ns/doap#'
         xmlns:xmpp='https://linkmauve.fr/ns/xmpp-doap#'>
  <Project>
    <name>${xml(name)}</name>
    <shortdesc xml:lang='en'>${xml(description)}</shortdesc>
    <license rdf:resource='https://spdx.org/licenses/MIT'/>
    <programming-language>TypeScript</programming-language>
    <category rdf:resource='https://linkmauve.fr/ns/xmpp-doap#category-bot'/>
    <category rdf:resource='https://linkmauve.fr/ns/xmpp-doap#category-library'/>
${RFCS.map((number) => `    <implements rdf:resource='https://xmpp.org/rfcs/rfc${number}.html'/>`).join('\n')}
${extensions.map((extension) => supported(extension, version)).join('\n')}
  </Project>
</rdf:RDF>
`;
}

function supported({ link, version, leftOut }, since) {
  const note = leftOut === '' ? '' : `\n        <xmpp:note xml:lang='en'>Left out: ${xml(leftOut)}</xmpp:note>`;
  return `    <implements>
      <xmpp:SupportedXep>
        <xmpp:xep rdf:resource='${link}'/>
        <xmpp:status>${leftOut === '' ? 'complete' : 'partial'}</xmpp:status>
        <xmpp:version>${version}</xmpp:version>
        <xmpp:since>${since}</xmpp:since>${note}
      </xmpp:SupportedXep>
    </implements>`;
}

function xml(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
