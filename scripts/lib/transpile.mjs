/** Sources as JavaScript: loading the compiler in every test file takes longer than most tests do. Types are checked by `npm run types`. */
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';
import { filesOf } from './tests.mjs';

const COMPILER = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, inlineSourceMap: true };

/**
 * Writes the tests as JavaScript below a folder, beside links to what they import and read; `src` is the built program there.
 * @param folder below the root, such as `.build`; what was there is gone
 * @returns the files that were written, in the order of their names
 */
export function transpileTests(folder) {
  rmSync(folder, { recursive: true, force: true });
  const files = transpileFolder('test', folder);
  link(folder, { src: 'dist', fixtures: 'fixtures' });
  return files;
}

/** Writes the program and its tests as JavaScript below a folder, which needs no build then. Returns the files of the tests. */
export function transpileSources(folder) {
  rmSync(folder, { recursive: true, force: true });
  transpileFolder('src', folder);
  const files = transpileFolder('test', folder);
  // The clients of test/interop are packages that only its own run installs.
  const clients = 'test/interop/node_modules';
  link(folder, { fixtures: 'fixtures', 'package.json': 'package.json', [clients]: clients });
  return files;
}

/** One file's source as JavaScript. */
export function transpile(source, name) {
  return ts.transpileModule(source, { compilerOptions: COMPILER, fileName: name }).outputText;
}

function transpileFolder(root, folder) {
  const isSource = (file) => !file.endsWith('.d.ts');
  return filesOf(root, '.ts')
    .filter(isSource)
    .map((file) => {
      const target = join(folder, file.replace(/\.ts$/, '.js'));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, transpile(readFileSync(file, 'utf8'), file));
      return target;
    });
}

function link(folder, links) {
  for (const [name, target] of Object.entries(links)) {
    const path = join(folder, name);
    symlinkSync(relative(resolve(dirname(path)), resolve(target)), path);
  }
}
