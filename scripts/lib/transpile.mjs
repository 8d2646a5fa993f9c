/** Sources as JavaScript, in well under a second. Types are checked by `npm run types`; what is shipped is made by `npm run build`. */
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { buildSync, transformSync } from 'esbuild';
import { filesOf } from './tests.mjs';

const OPTIONS = {
  format: 'esm',
  platform: 'node',
  target: 'node20',
  sourcemap: 'inline',
  sourcesContent: false,
  logLevel: 'warning',
  // Imports stay as they are written, as in tsconfig.json.
  tsconfigRaw: { compilerOptions: { target: 'ES2023', verbatimModuleSyntax: true } },
};

/** What a bundle of modules needs for the packages in it that are CommonJS. */
const REQUIRE = `import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);`;

/**
 * Writes the program and its tests as JavaScript below a folder, beside links to what they read. The tests start the program as `bin/cli.js`.
 * @param folder below the root, such as `.build`; what was there is gone
 * @param options `bundle`: one file as `bin/cli.js`, which starts in half of the time. Otherwise it is `src/cli.js`, whose modules can be replaced
 * @returns the files of the tests, in the order of their names
 */
export function transpileAll(folder, { bundle = false } = {}) {
  rmSync(folder, { recursive: true, force: true });
  const files = ['src', 'test'].flatMap((root) => filesOf(root, '.ts')).filter((file) => !file.endsWith('.d.ts'));
  buildSync({ ...OPTIONS, entryPoints: files, outdir: folder, outbase: '.' });
  if (bundle) bundleProgram(join(folder, 'bin'));
  // The clients of test/interop are packages that only its own run installs.
  const clients = 'test/interop/node_modules';
  link(folder, { fixtures: 'fixtures', 'package.json': 'package.json', [clients]: clients });
  if (!bundle) link(folder, { bin: join(folder, 'src') });
  return files.filter((file) => file.startsWith('test/')).map((file) => join(folder, file.replace(/\.ts$/, '.js')));
}

/** One file's source as JavaScript. */
export function transpile(source, name) {
  return transformSync(source, { ...OPTIONS, loader: 'ts', sourcefile: name }).code;
}

function bundleProgram(outdir) {
  buildSync({
    ...OPTIONS,
    entryPoints: ['src/cli.ts'],
    outdir,
    bundle: true,
    splitting: true,
    sourcemap: 'linked',
    banner: { js: REQUIRE },
    // Native parts of ws, which it does without.
    external: ['bufferutil', 'utf-8-validate'],
  });
}

function link(folder, links) {
  for (const [name, target] of Object.entries(links)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(relative(resolve(dirname(path)), resolve(target)), path);
  }
}
