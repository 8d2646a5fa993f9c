/**
 * Writes the `exports` of package.json: what users of the library can import. Each extension is under its number, and as a pattern cannot leave
 * the title out of a file's name, all are listed.
 *
 *   node scripts/exports.mjs            # writes them
 *   node scripts/exports.mjs --check    # writes nothing; fails when they are not current
 */
import { readdirSync, readFileSync } from 'node:fs';
import { finish } from './lib/pages.mjs';
import { ROOT } from './lib/tests.mjs';

const NAMED = {
  '.': './dist/index.js',
  './core': './dist/xmpp-core/index.js',
  './jid': './dist/xmpp-core/jid/index.js',
  './xml': './dist/xmpp-core/xml/index.js',
  './loopback': './dist/loopback/index.js',
};
const FILES = { './schema.json': './moltis.schema.json', './package.json': './package.json' };

const extensions = readdirSync(new URL('src/xeps', ROOT))
  .toSorted()
  .flatMap((name) => {
    const [, number] = /^xep-(\d{4})-/.exec(name) ?? [];
    if (number === undefined) return [];
    const module = name.endsWith('.ts') ? name.replace(/\.ts$/, '.js') : `${name}/index.js`;
    return [[`./xeps/${number}`, `./dist/xeps/${module}`]];
  });
const manifest = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8'));
manifest.exports = { ...NAMED, ...Object.fromEntries(extensions), ...FILES };
finish({ 'package.json': `${JSON.stringify(manifest, null, 2)}\n` }, [], 'node scripts/exports.mjs');
