/**
 * `npm run lint`: imports run downward only. Each stack below lists the parts of a folder from top to bottom; a part imports only itself and
 * what stands below it. Type imports count. Cycles between files are the linter's (`import/no-cycle`).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import process from 'node:process';
import ts from './lib/typescript.mjs';

/** Parts that share a line do not import each other. */
const stacks = {
  'src/agent/channel': [
    ['account.ts'],
    ['account-parts.ts'],
    ['inbound'],
    ['commands'],
    ['turns'],
    ['rooms'],
    ['access'],
    ['outbound', 'profile'],
    ['client'],
    ['places'],
  ],
};

const problems = Object.entries(stacks).flatMap(([folder, stack]) => {
  const levels = new Map(stack.flatMap((parts, level) => parts.map((part) => [part, level])));
  const partOf = (file) => relative(folder, file).split('/')[0];
  const unlisted = readdirSync(folder).filter((part) => !levels.has(part));
  return [
    ...unlisted.map((part) => `${join(folder, part)} has no place in the stack of scripts/layers.mjs`),
    ...filesIn(folder).flatMap((file) =>
      importsOf(file)
        .filter((target) => target.startsWith(`${folder}/`) && partOf(target) !== partOf(file))
        .filter((target) => levels.get(partOf(target)) <= levels.get(partOf(file)))
        .map((target) => `${file} imports ${target}, which does not stand below it`),
    ),
  ];
});
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;

function filesIn(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

/** The source files that a file imports, type imports included. */
function importsOf(file) {
  return ts
    .preProcessFile(readFileSync(file, 'utf8'))
    .importedFiles.filter(({ fileName }) => fileName.startsWith('.'))
    .map(({ fileName }) => join(dirname(file), fileName).replace(/\.js$/, '.ts'));
}
