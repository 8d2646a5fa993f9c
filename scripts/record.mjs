/** `npm run record -- fixtures/streams/SERVER/NAME.txt …`: transpiles the recorder, and what it records, and runs it (test/conformance/recorder/run.ts). */
import { rmSync } from 'node:fs';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { transpileAll } from './lib/transpile.mjs';

/** A folder of its own: it may be called while the tests run. */
const BUILD = `.build-${process.pid}`;

process.on('exit', () => rmSync(BUILD, { recursive: true, force: true }));
const recorder = transpileAll(BUILD).find((file) => file.endsWith('conformance/recorder/run.js'));
const { run } = await import(pathToFileURL(recorder));
try {
  await run(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
