/** Errors that nobody catches fail the test that runs. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import t, { type Test } from 'tap';

/** What a test program prints that has these tests and fails. */
async function failing(t: Test, tests: string): Promise<string> {
  const folder = t.testdir({ 'program.mjs': `import t from '${import.meta.resolve('tap')}';\n${tests}` });
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [join(folder, 'program.mjs')], (error, output) => {
      if (error?.code === 1) resolve(output);
      else reject(error ?? new Error(`it passes:\n${output}`));
    });
  });
}

/** The titles of the tests that fail, those within others indented. tap may report the last one twice. */
function failed(output: string): readonly string[] {
  const titles = [...output.matchAll(/^( *)not ok \d+ - (.*?)(?: #.*)?$/gm)].map(
    ([, indent = '', title]) => `${indent}${title}`,
  );
  return [...new Set(titles)];
}

/** Waits until it has been thrown. */
const LATER = `new Promise((resolve) => setImmediate(() => setImmediate(resolve)))`;

t.test('one that is thrown in a callback fails the test that waits for it', async (t) => {
  const thrown = `setImmediate(() => { throw new Error('thrown'); }); await ${LATER};`;
  const output = await failing(t, `t.test('passes', async () => {}); t.test('fails', async () => { ${thrown} });`);
  t.strictSame(failed(output), ['    thrown', 'fails']);
});

t.test('a rejection that nobody handles fails the innermost test', async (t) => {
  const rejected = `void Promise.reject(new Error('rejected')); await ${LATER};`;
  const output = await failing(t, `t.test('outer', (t) => t.test('inner', async () => { ${rejected} }));`);
  t.strictSame(failed(output), ['        rejected', '    inner', 'outer']);
});

t.test('one that comes after all tests fails the program', async (t) => {
  const output = await failing(
    t,
    `process.once('beforeExit', () => { throw new Error('late'); }); t.test('passes', async () => {});`,
  );
  t.strictSame(failed(output), ['late']);
});

t.test('a test with a listener of its own gets the error', async (t) => {
  const caught = `process.once('uncaughtException', ({ message }) => t.equal(message, 'wanted'));`;
  const thrown = `setImmediate(() => { throw new Error('thrown'); }); await ${LATER};`;
  const output = await failing(t, `t.test('expects another', async (t) => { ${caught} ${thrown} });`);
  t.strictSame(failed(output), ['    should be equal', 'expects another']);
});
