/**
 * `npm run record -- fixtures/streams/SERVER/NAME.txt …`: records scenarios against real servers (docs/fixtures.md).
 *
 * What is recorded is what the sources say now: they are transpiled into a folder of their own, so that this can go on beside tests.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';

mkdirSync('node_modules/.cache', { recursive: true });
const build = mkdtempSync('node_modules/.cache/record-');
try {
  for (const folder of ['src', 'test']) transpile(folder);
  symlinkSync(resolve('fixtures'), join(build, 'fixtures'));
  symlinkSync(resolve('package.json'), join(build, 'package.json'));
  const { run } = await import(pathToFileURL(resolve(build, 'test/conformance/recorder/run.js')).href);
  await run(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
} finally {
  rmSync(build, { recursive: true, force: true });
}

function transpile(folder) {
  const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, inlineSourceMap: true };
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue;
    const target = join(build, folder, name.replace(/\.ts$/, '.js'));
    const { outputText } = ts.transpileModule(readFileSync(join(folder, name), 'utf8'), {
      compilerOptions,
      fileName: name,
    });
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, outputText);
  }
}
