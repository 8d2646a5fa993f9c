/**
 * `npm test`: runs the tests, as tap programs, against the built program.
 *
 *   node scripts/test.mjs                     # all but those that need other servers
 *   node scripts/test.mjs client rooms        # only files with one of these words in their path
 *
 * Each test file is a process of its own. Loading the compiler in every one of them takes longer than most tests do, so all are
 * transpiled first; their types are checked by `npm run types`.
 */
import { availableParallelism } from 'node:os';
import process from 'node:process';
import t from 'tap';
import { transpileTests } from './lib/transpile.mjs';

const BUILD = '.build';
const FILE_MS = 240_000;

const tests = transpileTests(BUILD).filter((file) => file.endsWith('.test.js') && !file.includes('/interop/'));
const words = process.argv.slice(2);
const chosen = tests.filter((file) => words.length === 0 || words.some((word) => file.includes(word)));
if (chosen.length === 0) throw new Error(`no test file has ${words.join(' or ')} in its path`);

// Each file has its own limit of time; all together have none.
t.setTimeout(0);
t.jobs = availableParallelism();
// Options of its own for each: tap writes into them.
const options = () => ({ buffered: true, timeout: FILE_MS });
await Promise.all(chosen.map((file) => t.spawn(process.execPath, ['--enable-source-maps', file], options(), file)));
