/**
 * `npm run record -- [--quiet-ms N] FILE…`: records scenarios anew against the servers that their folders name.
 *
 * A file's header, and its steps `A:`, `O:`, `N: cut`, `N: ended` and `E: nothing` are the plan; what comes of them is written between them.
 */
import { writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { ejabberd } from '../../interop/servers/ejabberd.js';
import { prosody012 } from '../../interop/servers/prosody-0.12.js';
import { prosody } from '../../interop/servers/prosody.js';
import { Server, type ServerSoftware } from '../../interop/servers/server.js';
import { startLibrary } from '../library.js';
import { readScenario, STREAMS } from '../scenario.js';
import { People } from './people.js';
import { record } from './recorder.js';

const DOMAIN = 'example.org';

const SOFTWARE: ReadonlyMap<string, ServerSoftware> = new Map([
  ['prosody-13', prosody],
  ['prosody-0.12', prosody012],
  ['ejabberd-24.12', ejabberd],
]);

/** @param args without what runs this */
export async function run(args: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { 'quiet-ms': { type: 'string', default: '400' } },
    allowPositionals: true,
  });
  const quietMs = Number(values['quiet-ms']);
  if (positionals.length === 0 || !(quietMs > 0)) {
    throw new Error(
      `usage: npm run record -- [--quiet-ms N] fixtures/streams/${[...SOFTWARE.keys()].join('|')}/NAME.txt…`,
    );
  }
  const files = positionals.map((path) => relative(join('fixtures', 'streams'), relative('.', resolve(path))));
  for (const folder of new Set(files.map((file) => dirname(file)))) {
    await recordAll(
      folder,
      files.filter((file) => dirname(file) === folder),
      quietMs,
    );
  }
}

async function recordAll(folder: string, files: readonly string[], quietMs: number): Promise<void> {
  const software = SOFTWARE.get(folder);
  if (software === undefined) {
    throw new Error(`no server is recorded in ${folder}; there are ${[...SOFTWARE.keys()].join(', ')}`);
  }
  // Those that a mistake is in say so before a server starts.
  for (const file of files) readScenario(file);
  const server = await Server.start(software, DOMAIN);
  try {
    const people = await People.at(server);
    const version = await people.serverVersion();
    for (const file of files) {
      const scenario = readScenario(file);
      const text = await record(scenario, { server, people, version, start: startLibrary, quietMs });
      writeFileSync(join(STREAMS, file), text);
      process.stdout.write(`${file}: ${scenario.title} (${version})\n`);
    }
  } finally {
    await server.stop();
  }
}
