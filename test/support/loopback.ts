/** For tests: a loopback server and clients, which are stopped at the end of the test. */
import type { Test } from 'tap';
import type { Misbehaviour } from '../../src/loopback/misbehaviour.js';
import { LoopbackServer, type LoopbackOptions } from '../../src/loopback/server.js';
import { createClient, type Client, type ClientOptions } from '../../src/xmpp-core/client.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import type { Element } from '../../src/xmpp-core/xml/element.js';

/** The password of all accounts. */
export const PASSWORD = 'correct horse';

/** The deadline for events, in milliseconds. */
export const PATIENCE_MS = 10_000;

/** A server, and makers of clients. */
export interface Loopback {
  readonly server: LoopbackServer;
  /** Makes a client of an account, which is created if needed. The client stops with the test. */
  readonly client: (username: string, options?: Partial<ClientOptions>) => Client;
  /** The same, and starts it. Resolves when it is online. */
  readonly online: (username: string, options?: Partial<ClientOptions>) => Promise<Client>;
}

/** Starts a server until the test ends. Its clients connect by StartTLS and reconnect quickly unless their options say otherwise. */
export async function startLoopback(t: Test, options: LoopbackOptions = {}): Promise<Loopback> {
  const server = await LoopbackServer.start(options);
  const clients: Client[] = [];
  const known = new Set<string>();
  t.teardown(async () => {
    await Promise.all(clients.map((client) => client.stop()));
    await server.stop();
  });
  const client: Loopback['client'] = (username, changes = {}) => {
    if (!known.has(username)) server.addAccount(username, PASSWORD);
    known.add(username);
    const made = createClient({
      jid: Jid.of(username, server.domain),
      password: PASSWORD,
      ...server.clientOptions,
      reconnect: { firstMs: 5, maxMs: 40 },
      connectTimeoutMs: PATIENCE_MS,
      ...changes,
    });
    clients.push(made);
    return made;
  };
  return {
    server,
    client,
    online: async (username, changes) => {
      const made = client(username, changes);
      await made.start();
      return made;
    },
  };
}

/** Records what clients send to the server; `answer` can replace the server's response. */
export function recorder(answer: NonNullable<Misbehaviour['answer']> = () => undefined): Recorder {
  const sent: Element[] = [];
  return {
    sent,
    answer: (element, stage) => {
      sent.push(element);
      return answer(element, stage);
    },
    find: (name, ns) => sent.find((element) => element.is(name, ns)),
  };
}

/** The recorded elements, as an option of the server. */
export interface Recorder extends Misbehaviour {
  readonly sent: readonly Element[];
  find(name: string, ns: string): Element | undefined;
}

/** Waits for a condition that has no event, by turns of the event loop. @throws Error after the deadline */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`this never came: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
