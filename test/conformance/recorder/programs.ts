/** Others at the server who use clients that nobody here wrote: `O: slixmpp bob message to ann@example.org body "Hello"`. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Profanity } from '../../interop/profanity.js';
import { Program } from '../../interop/program.js';
import type { Server } from '../../interop/servers/server.js';
import type { Line } from '../implementation.js';

const run = promisify(execFile);

/** Lies beside this file, whichever way it is compiled. */
const SLIXMPP = join(process.cwd(), 'test/conformance/recorder/slixmpp_person.py');
const PYTHON = '/usr/bin/python3';

/** Somebody who is logged in with a program. */
export interface OtherClient {
  /** As the header `Server` says it: `slixmpp 1.10.0`. */
  readonly version: string;
  /** Does what a step asks for. @throws Error when it cannot */
  act(action: Line): Promise<void>;
  leave(): Promise<void>;
}

export interface Person {
  readonly jid: string;
  readonly password: string;
}

type Enter = (person: Person, server: Server) => Promise<OtherClient>;

/** What somebody can use, by the first word of a step. */
export const PROGRAMS: ReadonlyMap<string, Enter> = new Map<string, Enter>([
  ['slixmpp', enterSlixmpp],
  ['profanity', enterProfanity],
  ['go-sendxmpp', enterGoSendxmpp],
  ['converse', enterConverse],
]);

async function versionOf(command: string, args: readonly string[], pattern: RegExp): Promise<string> {
  const { stdout } = await run(command, [...args]);
  return pattern.exec(stdout)?.[1] ?? 'of unknown version';
}

/** A library: the actions are those of slixmpp_person.py, with its own names of fields. */
async function enterSlixmpp({ jid, password }: Person, { site, authority }: Server): Promise<OtherClient> {
  const version = await versionOf(PYTHON, ['-c', 'import slixmpp; print(slixmpp.__version__)'], /(\S+)\s*$/);
  const program = new Program('slixmpp', PYTHON, [SLIXMPP, `${jid}/slixmpp`, String(site.ports.startTls), authority]);
  let answered: (answer: { readonly error?: string }) => void = () => undefined;
  program.onLine((line) => answered(JSON.parse(line) as { readonly error?: string }));
  const asked = async (line: string): Promise<void> => {
    const answer = new Promise<{ readonly error?: string }>((resolve) => {
      answered = resolve;
    });
    program.write(`${line}\n`);
    const { error } = await Promise.race([answer, program.ended.then((end) => ({ error: `it ended (${end})` }))]);
    if (error !== undefined) throw new Error(`slixmpp: ${error}\n${program.output}`);
  };
  await asked(password);
  return {
    version: `slixmpp ${version}`,
    act: async ({ verb, fields }) => asked(JSON.stringify({ verb, fields: Object.fromEntries(fields) })),
    async leave() {
      program.endInput();
      await program.end();
    },
  };
}

/** A terminal: what can be done is `types text`, of words or a command, and it is sent with Enter. */
async function enterProfanity(person: Person, { site, authority }: Server): Promise<OtherClient> {
  const version = await versionOf('profanity', ['--version'], /version (\d[\d.]*\d)/);
  const profanity = await Profanity.logIn(person, site.ports.startTls, authority);
  return {
    version: `profanity ${version}`,
    act: async (action) => profanity.say(only(action, 'types', 'text')),
    leave: async () => profanity.leave(),
  };
}

/** A command that logs in for each message and leaves again: `message`, or `file` with its `name`, whose content is `body`, too. */
async function enterGoSendxmpp({ jid, password }: Person, server: Server): Promise<OtherClient> {
  const version = await versionOf('go-sendxmpp', ['--version'], /go-sendxmpp (\S+)/);
  const directory = await mkdtemp(join(tmpdir(), 'go-sendxmpp-'));
  const configuration = join(directory, 'configuration');
  const host = server.address(false);
  await writeFile(configuration, `username: ${jid}\npassword: ${password}\njserver: ${host}\n`, { mode: 0o600 });
  return {
    version: `go-sendxmpp ${version}`,
    async act({ verb, fields }) {
      const [to, name, nick] = ['to', 'name', 'nick'].map((field) => fields.get(field));
      if (!['message', 'file'].includes(verb) || to === undefined)
        throw new Error(`go-sendxmpp does not know '${verb}'`);
      const content = join(directory, name ?? 'message');
      await writeFile(content, `${fields.get('body') ?? ''}\n`);
      const what = verb === 'file' ? '--http-upload' : '--message';
      const where = nick === undefined ? [to] : ['--chatroom', '--alias', nick, to];
      await run('go-sendxmpp', ['--file', configuration, what, content, ...where], {
        env: { ...process.env, SSL_CERT_FILE: server.authority },
      });
    },
    leave: async () => rm(directory, { recursive: true, force: true }),
  };
}

/** A page in a browser: `chat with`, `join room nick`, `say text`, `correct text`, `react emoji`. */
async function enterConverse(person: Person, server: Server): Promise<OtherClient> {
  // What drives a browser is large, and few recordings need it.
  const { CONVERSE, ConverseSite } = await import('../../interop/converse.js');
  const { version } = JSON.parse(await readFile(join(CONVERSE, 'package.json'), 'utf8')) as { version: string };
  const site = await ConverseSite.start(server.webSocket);
  const page = await site.enter(person).catch(async (error: unknown) => {
    await site.stop();
    throw error;
  });
  return {
    version: `converse.js ${version}`,
    async act(action) {
      const { verb, fields } = action;
      if (verb === 'chat') await page.chat(only(action, 'chat', 'with'));
      else if (verb === 'join') await page.join(fields.get('room') ?? '', fields.get('nick') ?? '');
      else if (verb === 'say') await page.say(only(action, 'say', 'text'));
      else if (verb === 'correct') await page.correct(only(action, 'correct', 'text'));
      else await page.react(only(action, 'react', 'emoji'));
    },
    async leave() {
      await page.leave();
      await site.stop();
    },
  };
}

function only({ verb, fields }: Line, expected: string, name: string): string {
  const value = fields.get(name);
  if (verb !== expected || value === undefined) throw new Error(`it does not know '${verb}', or '${name}' is missing`);
  return value;
}
