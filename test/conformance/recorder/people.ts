/** The accounts of a recording: new for each scenario, and those in it who are not the client that is recorded. */
import { readFile } from 'node:fs/promises';
import type { Server } from '../../interop/servers/server.js';
import { readLine } from '../implementation.js';
import { PROGRAMS, type OtherClient } from './programs.js';
import { RawClient } from './raw-client.js';

/** Everybody has it but the client, which has its scenario's. */
const PASSWORD = 'pencil';
const RESOURCE = 'phone';

const WORDS: readonly (readonly [RegExp, (people: People, user: string, words: readonly string[]) => Promise<void>])[] =
  [
    [/^([\w/]+) sends (<.*)$/s, async (people, user, [xml = '']) => people.says(user, xml)],
    [/^([\w/]+) enters(?: as (\S+))?$/, async (people, user, [resource]) => people.enters(user, resource)],
    [/^(\w+) has the password (\S+)$/, async (people, user, [password]) => people.renew(user, password)],
    [/^(\w+) has a new account$/, async (people, user) => people.renew(user, people.passwordOf(user))],
    [/^(\w+) has no account$/, async (people, user) => people.remove(user)],
    [
      /^(\w+) joins room (\S+) as (\S+)$/,
      async (people, user, [room, nick]) =>
        people.says(user, `<presence to='${room}/${nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>`),
    ],
    [
      /^([\w/]+) answers(?: (<.*))?$/s,
      async (people, user, [payload]) => people.answers(user, 'result', payload ?? ''),
    ],
    [/^([\w/]+) refuses (<.*)$/s, async (people, user, [error = '']) => people.answers(user, 'error', error)],
    [/^([\w/]+) leaves$/, async (people, user) => people.leaves(user)],
    [
      new RegExp(`^(${[...PROGRAMS.keys()].join('|')}) (\\w+) (.+)$`, 's'),
      async (people, program, [user = '', action = '']) => people.operates(user, program, action),
    ],
  ];

export class People {
  readonly #server: Server;
  readonly #authority: string;
  /** Users by name, with their passwords. */
  readonly #accounts = new Map<string, string>();
  /** By how the plan calls them: `bob`, or `bob/tablet`. */
  readonly #online = new Map<string, RawClient>();
  /** Those with a program, by user. */
  readonly #programs = new Map<string, OtherClient>();
  readonly #versions = new Set<string>();
  /** Of other virtual hosts. */
  readonly #elsewhere = new Set<string>();

  private constructor(server: Server, authority: string) {
    this.#server = server;
    this.#authority = authority;
  }

  static async at(server: Server): Promise<People> {
    return new People(server, await readFile(server.authority, 'utf8'));
  }

  /** Whether an `O:` step speaks of somebody. */
  static knows(words: string): boolean {
    return WORDS.some(([pattern]) => pattern.test(words));
  }

  /** Does what an `O:` step says. @throws Error when it is not understood */
  async do(words: string): Promise<void> {
    for (const [pattern, act] of WORDS) {
      const [, user = '', ...rest] = pattern.exec(words) ?? [];
      if (user !== '') return act(this, user, rest);
    }
    throw new Error(`nobody knows what this means: O: ${words}`);
  }

  /**
   * Makes the account of the client that is recorded.
   * @param account its bare JID. One of another virtual host is made once: nothing but its login happens there
   */
  async settle(account: string, password: string): Promise<void> {
    const [user = '', host = ''] = account.split('@');
    if (host === this.#server.domain) return this.renew(user, password);
    if (this.#elsewhere.has(account)) return;
    await this.#server.register(user, password, host);
    this.#elsewhere.add(account);
  }

  passwordOf(user: string): string | undefined {
    return this.#accounts.get(user);
  }

  /** Makes an account, in place of what was there before under this name: nothing of an earlier recording is left. */
  async renew(user: string, password: string = PASSWORD): Promise<void> {
    await this.remove(user);
    await this.#server.register(user, password);
    this.#accounts.set(user, password);
  }

  /** The programs that were used since all accounts were removed, with their versions. */
  get programs(): readonly string[] {
    return [...this.#versions];
  }

  /** Says goodbye for all, and removes all accounts. */
  async removeAll(): Promise<void> {
    this.#versions.clear();
    for (const user of this.#accounts.keys()) await this.remove(user);
  }

  /** The server forgets an account, and what it kept for it, when the account asks for it (XEP-0077 §3.2). */
  async remove(user: string): Promise<void> {
    for (const name of this.#online.keys()) if (name.split('/')[0] === user) await this.leaves(name);
    await this.#programs.get(user)?.leave();
    this.#programs.delete(user);
    const password = this.#accounts.get(user);
    if (password === undefined) return;
    const client = await this.#login(user, password, 'removal');
    client.send(`<iq type='set' id='remove'><query xmlns='jabber:iq:register'><remove/></query></iq>`);
    await client.hears(
      'the removal of the account',
      ({ tree }) => tree.attributes.get('id') === 'remove' || tree.elements[0]?.name === 'not-authorized',
    );
    await client.leave();
    this.#accounts.delete(user);
  }

  /** What the server calls itself (XEP-0092): `Prosody 13.0.1`. */
  async serverVersion(): Promise<string> {
    await this.renew('asker');
    const client = await this.#login('asker', PASSWORD, RESOURCE);
    client.send(`<iq type='get' id='version' to='${this.#server.domain}'><query xmlns='jabber:iq:version'/></iq>`);
    const { tree } = await client.answer('version');
    await client.leave();
    await this.remove('asker');
    const texts = new Map(tree.elements[0]?.elements.map(({ name, text }) => [name, text]));
    // What stands after the numbers is of the package, or of the day it was built.
    const [number = ''] = /^\d+(?:\.\d+)*/.exec(texts.get('version') ?? '') ?? [];
    return `${texts.get('name') ?? 'unknown'} ${number}`;
  }

  async enters(name: string, resource?: string): Promise<void> {
    await this.#session(name, resource);
    await this.says(name, '<presence/>');
  }

  async says(name: string, xml: string): Promise<void> {
    (await this.#session(name)).send(xml);
  }

  async answers(name: string, type: 'result' | 'error', content: string): Promise<void> {
    const client = await this.#session(name);
    const { from, id } = await client.request();
    client.send(`<iq type='${type}' id='${id}' to='${from}'>${content}</iq>`);
  }

  /** @param action what the program knows; `enters` when there is nothing to do but to log in, `leaves` to go */
  async operates(user: string, program: string, action: string): Promise<void> {
    const client = this.#programs.get(user) ?? (await this.#start(user, program));
    if (action === 'enters') return;
    if (action !== 'leaves') return client.act(readLine(action));
    await client.leave();
    this.#programs.delete(user);
  }

  async #start(user: string, program: string): Promise<OtherClient> {
    if (!this.#accounts.has(user)) await this.renew(user);
    const person = { jid: `${user}@${this.#server.domain}`, password: this.#accounts.get(user) ?? PASSWORD };
    const client = await PROGRAMS.get(program)?.(person, this.#server);
    if (client === undefined) throw new Error(`there is no ${program}`);
    this.#programs.set(user, client);
    this.#versions.add(client.version);
    return client;
  }

  async leaves(name: string): Promise<void> {
    await this.#online.get(name)?.leave();
    this.#online.delete(name);
  }

  async #session(name: string, as?: string): Promise<RawClient> {
    const present = this.#online.get(name);
    if (present !== undefined) return present;
    const [user = name, resource = RESOURCE] = name.split('/');
    if (!this.#accounts.has(user)) await this.renew(user);
    const client = await this.#login(user, this.#accounts.get(user) ?? PASSWORD, as ?? resource);
    this.#online.set(name, client);
    return client;
  }

  async #login(user: string, password: string, resource: string): Promise<RawClient> {
    const { domain, site } = this.#server;
    return RawClient.login({
      user,
      domain,
      password,
      resource,
      port: site.ports.directTls,
      authority: this.#authority,
    });
  }
}
