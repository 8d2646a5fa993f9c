/** The tests as JavaScript: loading the compiler in every test file takes longer than most tests do. Types are checked by `npm run types`. */
import { mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

const COMPILER = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, inlineSourceMap: true };

/**
 * Writes every file of `test` as JavaScript below a folder, beside links to what tests import and read: `src` is the built program there.
 * @param folder one level below the root, such as `.build`; what was there is gone
 * @returns the files that were written, in the order of their names
 */
export function transpileTests(folder) {
  rmSync(folder, { recursive: true, force: true });
  const names = readdirSync('test', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const files = names.toSorted().map((name) => {
    const target = join(folder, 'test', name.replace(/\.ts$/, '.js'));
    const source = readFileSync(join('test', name), 'utf8');
    const { outputText } = ts.transpileModule(source, { compilerOptions: COMPILER, fileName: name });
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, outputText);
    return target;
  });
  symlinkSync('../dist', join(folder, 'src'));
  symlinkSync('../fixtures', join(folder, 'fixtures'));
  return files;
}
