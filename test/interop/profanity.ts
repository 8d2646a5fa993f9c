import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { Client, Login, Shown } from './client.js';
import { Program } from './program.js';
import { until } from './questions.js';

const run = promisify(execFile);

/** Wide and high enough for a whole conversation without wrapped lines. */
const SCREEN = { width: 160, height: 50 } as const;

/** profanity in a terminal, and the person who types and reads there. */
export class Profanity implements Client {
  readonly #home: string;
  readonly #tmux: Program;
  /** What one is called in the open conversation. */
  #nick = 'me';

  private constructor(home: string) {
    this.#home = home;
    // In the foreground, so that it and the client in it end with whoever started them.
    this.#tmux = new Program('tmux', 'tmux', ['-D', '-f', '/dev/null', '-S', socket(home)]);
  }

  /**
   * Starts it with files of its own, and logs in.
   * @param authority PEM file of the only authority that the client trusts
   */
  static async logIn(login: Login, startTls: number, authority: string): Promise<Profanity> {
    const home = await mkdtemp(join(tmpdir(), 'profanity-'));
    const profanity = new Profanity(home);
    try {
      await configure(home, login, startTls, authority);
      await until('the terminal', async () => profanity.#listens(), Boolean);
      const environment = Object.entries(places(home)).map(([name, value]) => `${name}=${value}`);
      await profanity.#do(
        ['new-session', '-d', '-x', String(SCREEN.width), '-y', String(SCREEN.height)],
        ['env', ...environment, 'LANG=C.UTF-8', 'TERM=screen-256color', 'profanity', '--account', 'person'],
      );
      await profanity.#shows('the login', (screen) => screen.includes('[online]'));
      return profanity;
    } catch (error) {
      await profanity.leave();
      throw error;
    }
  }

  async chat(jid: string): Promise<void> {
    await this.#command(`/msg ${jid}`);
    this.#nick = 'me';
    await this.#shows('the conversation', (screen) => screen.trimStart().startsWith(jid));
  }

  async join(room: string, nick: string): Promise<void> {
    await this.#command(`/join ${room} nick ${nick}`);
    this.#nick = nick;
    await this.#shows('the room', (screen) => screen.includes('You have joined the room'));
  }

  async say(text: string): Promise<void> {
    await this.#command(text);
  }

  async correct(text: string): Promise<void> {
    await this.#command(`/correct ${text}`);
  }

  async conversation(): Promise<readonly Shown[]> {
    return messages(await this.screen(), this.#nick);
  }

  async isTyping(): Promise<boolean> {
    const [title = ''] = (await this.screen()).split('\n');
    return title.includes('(typing...)');
  }

  async screen(): Promise<string> {
    return this.#do(['capture-pane', '-p']);
  }

  async leave(): Promise<void> {
    await this.#tmux.stop('SIGTERM');
    await rm(this.#home, { recursive: true, force: true });
  }

  async #command(text: string): Promise<void> {
    await this.#do(['send-keys', '-l', '--', text]);
    await this.#do(['send-keys', 'Enter']);
  }

  async #shows(what: string, isRight: (screen: string) => boolean): Promise<void> {
    await until(what, async () => this.screen(), isRight);
  }

  async #listens(): Promise<boolean> {
    return this.#do(['list-sessions']).then(
      () => true,
      () => false,
    );
  }

  async #do(...args: readonly (readonly string[])[]): Promise<string> {
    const { stdout } = await run('tmux', ['-S', socket(this.#home), ...args.flat()]);
    return stdout;
  }
}

/**
 * Reads the messages off the screen. Each begins with TIME, a sign, which is another one when it was edited, and who says it; more
 * lines of it are indented. The first line is the title bar, the last two are the status bar and what is being typed.
 */
function messages(screen: string, nick: string): readonly Shown[] {
  const found: { mine: boolean; edited: boolean; lines: string[] }[] = [];
  let current: string[] | undefined;
  for (const line of screen.trimEnd().split('\n').slice(1)) {
    const [, sign, author, text] = BEGINNING.exec(line) ?? [];
    if (author !== undefined && text !== undefined) {
      current = [text];
      found.push({ mine: author === nick, edited: sign === EDITED, lines: current });
    } else if (line.startsWith(INDENTATION)) current?.push(line.slice(INDENTATION.length));
    else if (line === '') current?.push(line);
    else current = undefined;
  }
  return found.map(({ lines, ...rest }) => ({ ...rest, text: lines.join('\n').trimEnd(), answers: undefined }));
}

/** Stands in the place of the time: what the screen shows is the same at every hour, and can be told from what people say. */
const TIME = '::';
const EDITED = '+';
const BEGINNING = new RegExp(`^${TIME} (\\S) (\\S+): (.*)$`);
const INDENTATION = ' '.repeat(`${TIME} - `.length);

function socket(home: string): string {
  return join(home, 'tmux');
}

/** Where it looks for files and keeps them. */
function places(home: string): Readonly<Record<string, string>> {
  return { HOME: home, XDG_CONFIG_HOME: join(home, 'config'), XDG_DATA_HOME: join(home, 'data') };
}

async function configure(home: string, { jid, password }: Login, startTls: number, authority: string): Promise<void> {
  const config = join(home, 'config/profanity');
  const data = join(home, 'data/profanity');
  const trusted = join(home, 'trusted');
  await Promise.all([config, data, trusted].map(async (directory) => mkdir(directory, { recursive: true })));
  await copyFile(authority, join(trusted, 'authority.pem'));
  await run('openssl', ['rehash', trusted]);
  await writeFile(join(config, 'profrc'), PREFERENCES.replace('TRUSTED', trusted));
  await writeFile(
    join(data, 'accounts'),
    `[person]
enabled=true
jid=${jid}
password=${password}
resource=terminal
server=127.0.0.1
port=${startTls}
tls.policy=force
`,
    { mode: 0o600 },
  );
}

const PREFERENCES = `[connection]
tls.certpath=TRUSTED

[ui]
splash=false
vercheck=false
beep=false
flash=false
intype=true
history=false
wrap=true
time.chat=${TIME}
time.muc=${TIME}
occupants=false
roster=false
enc.warn=false

[chatstates]
enabled=true
outtype=true

[correction]
enabled=true
char=${EDITED}

[notifications]
message=false
room=off
typing=false
invite=false
sub=false

[otr]
policy=manual

[omemo]
policy=manual

[logging]
chlog=false
grlog=false
`;
