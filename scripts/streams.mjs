/** `npm run test:conformance`: transpiles the suite and runs it (test/conformance/run.ts says how it is called). */
import { rmSync } from 'node:fs';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { transpileAll } from './lib/transpile.mjs';

/** A folder of its own: it may be called while the tests run. */
const BUILD = `.build-${process.pid}`;

process.on('exit', () => rmSync(BUILD, { recursive: true, force: true }));
const suite = transpileAll(BUILD).find((file) => file.endsWith('conformance/run.js'));
await import(pathToFileURL(suite));
