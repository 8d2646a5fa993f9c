import { join } from 'node:path';

import { Inbox, PATIENCE } from './inbox.js';
import { Program } from './program.js';

/** The driver lies beside this file, whichever way it is compiled. */
const DRIVER = join(process.cwd(), 'test/interop/human.py');

/** A message as the person's client got it; what it does not carry is null. */
export interface HumanMessage {
  readonly event: 'message';
  readonly from: string;
  readonly to: string;
  readonly type: 'chat' | 'groupchat' | 'normal' | 'headline' | 'error';
  readonly id: string | null;
  readonly body: string | null;
  readonly subject: string | null;
  /** XEP-0085. */
  readonly chatState: string | null;
  /** XEP-0308: the id of the message that this one corrects. */
  readonly replaces: string | null;
  /** XEP-0461: the id of the message that this one answers. */
  readonly replyTo: string | null;
  /** XEP-0066. */
  readonly oobUrl: string | null;
  /** XEP-0444: the id of the message reacted to, and the emojis. */
  readonly reactsTo: string | null;
  readonly reactions: readonly string[] | null;
  /** XEP-0184 and XEP-0333: the id of the message received, displayed. */
  readonly receiptFor: string | null;
  readonly displayed: string | null;
  /** XEP-0359. */
  readonly stanzaIds: readonly { readonly by: string; readonly id: string }[];
  /** XEP-0421. */
  readonly occupantId: string | null;
  readonly delayed: boolean;
  readonly xml: string;
}

export interface HumanPresence {
  readonly event: 'presence';
  readonly from: string;
  readonly type: string;
  /** XEP-0045 status codes. */
  readonly statuses: readonly string[];
  readonly xml: string;
}

export type HumanEvent = HumanMessage | HumanPresence | { readonly event: 'disconnected' };

type Answer = { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: string };

export interface Login {
  readonly jid: string;
  readonly password: string;
  readonly host: string;
  readonly port: number;
  readonly directTls: boolean;
}

/** A person with an XMPP client that nobody here wrote: slixmpp in a Python process. */
export class Human {
  readonly #program: Program;
  readonly #events: Inbox<HumanEvent>;
  readonly #answers: Inbox<Answer>;
  #commands = 0;
  #jid = '';

  /** @param caFile PEM file of the only authority that the client trusts */
  constructor(caFile: string) {
    this.#program = new Program('slixmpp', '/usr/bin/python3', [DRIVER, caFile]);
    this.#events = new Inbox('slixmpp');
    this.#answers = new Inbox('slixmpp');
    this.#program.onLine((line) => {
      const said = JSON.parse(line) as HumanEvent | Answer;
      if ('event' in said) this.#events.put(said);
      else this.#answers.put(said);
    });
    void this.#program.ended.then((end) => {
      const reason = new Error(`it ended (${end})`);
      this.#events.close(reason);
      this.#answers.close(reason);
    });
  }

  /** What the client printed: for the reader of a failed test. */
  get log(): string {
    return this.#program.output;
  }

  /** Whose account it is, bare; empty before `connect`. */
  get jid(): string {
    return this.#jid;
  }

  /** Logs in and becomes available. */
  async connect(login: Login): Promise<void> {
    const { jid, password, host, port, directTls } = login;
    this.#jid = jid;
    await this.#do('connect', { jid, password, host, port, direct_tls: directTls });
  }

  /**
   * Joins a room.
   * @param configuration of a room that did not exist: fields of `muc#roomconfig` (XEP-0045 §15.5.3); without them it is an instant room
   */
  async join(
    room: string,
    nick: string,
    configuration: Readonly<Record<string, string>> = {},
    password?: string,
  ): Promise<void> {
    await this.#do('join', { room, nick, configuration, password: password ?? null });
  }

  /** Invites somebody into a room directly (XEP-0249). */
  async invite(to: string, room: string, password?: string): Promise<void> {
    await this.#do('invite', { to, room, password: password ?? null });
  }

  /** Has a room invite somebody (XEP-0045 §7.8.2). */
  async haveInvited(to: string, room: string): Promise<void> {
    await this.#do('have_invited', { to, room });
  }

  /** Bans somebody from a room of one's own (XEP-0045 §9.1). */
  async ban(room: string, jid: string): Promise<void> {
    await this.#do('ban', { room, jid });
  }

  /** Sends a direct message and returns its id. */
  async say(to: string, body: string): Promise<string> {
    return this.#send(to, body, 'chat');
  }

  /** Speaks in a room and returns the id of the message. */
  async sayInRoom(room: string, body: string): Promise<string> {
    return this.#send(room, body, 'groupchat');
  }

  /** Sends a link to a file (XEP-0066). */
  async share(to: string, url: string): Promise<void> {
    await this.#do('share', { to, url });
  }

  /** Sends a message that wants a receipt (XEP-0184) and a marker (XEP-0333), and returns its id. */
  async ask(to: string, body: string): Promise<string> {
    const { id } = (await this.#do('ask', { to, body })) as { id: string };
    return id;
  }

  /** Tells that a message was displayed (XEP-0333). */
  async mark(to: string, id: string): Promise<void> {
    await this.#do('mark', { to, message_id: id });
  }

  /** Corrects a message of theirs (XEP-0308). */
  async correct(to: string, id: string, body: string): Promise<void> {
    await this.#do('correct', { to, message_id: id, body });
  }

  /** Takes a message of theirs back (XEP-0424). */
  async retract(to: string, id: string): Promise<void> {
    await this.#do('retract', { to, message_id: id });
  }

  /** Reacts to a message (XEP-0444). */
  async react(to: string, id: string, emoji: readonly string[]): Promise<void> {
    await this.#do('react', { to, message_id: id, emoji });
  }

  /** Answers a message, with a quotation for clients that know no replies (XEP-0461). */
  async reply(to: string, answered: { author: string; id: string; quoted: string }, body: string): Promise<void> {
    const { author, id, quoted } = answered;
    await this.#do('reply', { to, author, message_id: id, quoted, body });
  }

  /** Sends a presence to somebody: one about a subscription, for instance (RFC 6121 §3). */
  async presence(to: string, type: string): Promise<void> {
    await this.#do('presence', { to, type });
  }

  /** What an entity is, as `category/type`, and what it supports (XEP-0030). */
  async info(of: string): Promise<{ readonly identities: readonly string[]; readonly features: readonly string[] }> {
    return (await this.#do('info', { of })) as { identities: string[]; features: string[] };
  }

  /** The media type of the picture in a vCard (XEP-0054); null when there is none. */
  async pictureType(of: string): Promise<string | null> {
    const { type } = (await this.#do('picture_type', { of })) as { type: string | null };
    return type;
  }

  /** The nodes of the commands that an entity offers (XEP-0050). */
  async commands(of: string): Promise<readonly string[]> {
    const { nodes } = (await this.#do('commands', { of })) as { nodes: string[] };
    return nodes;
  }

  /** Has a command of one stage carried out (XEP-0050). @returns its status, and all that the result says */
  async carryOut(of: string, node: string): Promise<{ readonly status: string; readonly text: string }> {
    return (await this.#do('carry_out_command', { of, node })) as { status: string; text: string };
  }

  /** XEP-0199. */
  async ping(jid: string): Promise<void> {
    await this.#do('ping', { jid });
  }

  /** Uploads through the server (XEP-0363) and returns the URL to fetch it from. */
  async upload(name: string, data: Uint8Array, mediaType: string): Promise<string> {
    const base64 = Buffer.from(data).toString('base64');
    const { url } = (await this.#do('upload', { name, base64_data: base64, media_type: mediaType })) as { url: string };
    return url;
  }

  /** Fetches an `https:` URL, trusting the private authority. */
  async fetch(url: string): Promise<{ readonly data: Buffer; readonly mediaType: string | null }> {
    const { base64, mediaType } = (await this.#do('fetch', { url })) as { base64: string; mediaType: string | null };
    return { data: Buffer.from(base64, 'base64'), mediaType };
  }

  /** Takes the first message, come or to come, that the predicate admits. */
  async expect(
    what: string,
    predicate: (message: HumanMessage) => boolean,
    patience: number = PATIENCE,
  ): Promise<HumanMessage> {
    const event = await this.#events.expect(
      what,
      (candidate) => candidate.event === 'message' && predicate(candidate),
      patience,
    );
    return event as HumanMessage;
  }

  /** Takes the first presence, come or to come, that the predicate admits. */
  async expectPresence(
    what: string,
    predicate: (presence: HumanPresence) => boolean,
    patience: number = PATIENCE,
  ): Promise<HumanPresence> {
    const event = await this.#events.expect(
      what,
      (candidate) => candidate.event === 'presence' && predicate(candidate),
      patience,
    );
    return event as HumanPresence;
  }

  /** The messages that came and that nobody expected, oldest first. */
  get unexpected(): readonly HumanMessage[] {
    return this.#events.untaken.filter((event) => event.event === 'message');
  }

  /** Logs out and ends the client. */
  async leave(): Promise<void> {
    this.#program.endInput();
    const killer = setTimeout(() => this.#program.signal('SIGKILL'), 5_000);
    await this.#program.ended;
    clearTimeout(killer);
  }

  async #send(to: string, body: string, type: 'chat' | 'groupchat'): Promise<string> {
    const { id } = (await this.#do('send', { to, body, type })) as { id: string };
    return id;
  }

  async #do(what: string, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    this.#commands += 1;
    const id = this.#commands;
    this.#program.write(`${JSON.stringify({ ...args, id, do: what })}\n`);
    const answer = await this.#answers.expect(`answer to "${what}"`, (candidate) => candidate.id === id);
    if ('error' in answer) throw new Error(`slixmpp could not ${what}: ${answer.error}`);
    return answer.result;
  }
}
