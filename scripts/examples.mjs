/**
 * Puts the examples into the pages that show them: where a page says `<!-- examples/NAME.ts -->`, the block of code that follows is that file.
 *
 *   node scripts/examples.mjs            # writes the pages
 *   node scripts/examples.mjs --check    # writes nothing; fails when one is not current or names a file that is not there
 */
import { existsSync, readFileSync } from 'node:fs';
import { finish } from './lib/pages.mjs';
import { ROOT } from './lib/tests.mjs';

const PAGES = ['README.md', 'docs/library.md'];
const PLACE = /<!-- (examples\/[\w-]+\.ts) -->\n\n```ts\n.*?```\n/gs;

const problems = [];
const pages = Object.fromEntries(PAGES.map((page) => [page, filled(page)]));
finish(pages, problems, 'node scripts/examples.mjs');

function filled(page) {
  const text = readFileSync(new URL(page, ROOT), 'utf8');
  if (!PLACE.test(text)) problems.push(`${page} shows no example`);
  return text.replaceAll(PLACE, (place, name) => {
    const file = new URL(name, ROOT);
    if (existsSync(file)) return `<!-- ${name} -->\n\n\`\`\`ts\n${readFileSync(file, 'utf8')}\`\`\`\n`;
    problems.push(`${page} shows ${name}, which is not there`);
    return place;
  });
}
