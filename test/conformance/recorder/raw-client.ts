/** Somebody else at the server: a client that says what it is told, as it is written, and nothing by itself. */
import { once } from 'node:events';
import tls, { type TLSSocket } from 'node:tls';
import { ItemReader, type Item } from '../xml-tree.js';

/** How long a server may take for an answer. */
const PATIENCE_MS = 10_000;

export interface RawLogin {
  readonly user: string;
  readonly domain: string;
  readonly password: string;
  readonly resource: string;
  /** A port of 127.0.0.1 with TLS from the first byte. */
  readonly port: number;
  /** PEM. */
  readonly authority: string;
}

/** A session, without presence until it is told to send one. */
export class RawClient {
  readonly #socket: TLSSocket;
  readonly #heard: Item[] = [];
  #news: () => void = () => undefined;
  #isClosed = false;

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    const reader = new ItemReader((item) => {
      this.#heard.push(item);
      this.#news();
    });
    const close = (): void => {
      this.#isClosed = true;
      this.#news();
    };
    // A connection that failed is closed, too.
    socket.on('error', () => undefined).on('close', close);
    socket.setEncoding('utf8').on('data', (text: string) => reader.read(text));
  }

  /** Logs in by PLAIN and binds the resource (RFC 6120 §6, §7). @throws Error when the server does not let it in */
  static async login({ user, domain, password, resource, port, authority }: RawLogin): Promise<RawClient> {
    const socket = tls.connect({
      host: '127.0.0.1',
      port,
      servername: domain,
      ca: authority,
      ALPNProtocols: ['xmpp-client'],
    });
    await once(socket, 'secureConnect');
    const client = new RawClient(socket);
    const head = `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='${domain}' version='1.0'>`;
    client.send(head);
    await client.hears('the offer of a login', ({ tree }) => tree.name === 'features');
    const credentials = Buffer.from(`\0${user}\0${password}`).toString('base64');
    client.send(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>${credentials}</auth>`);
    const { tree } = await client.hears('the result of the login', ({ tree }) =>
      ['success', 'failure'].includes(tree.name),
    );
    if (tree.name === 'failure') throw new Error(`${user}@${domain} was not let in: ${tree.elements[0]?.name ?? ''}`);
    client.send(head);
    await client.hears('the offer of a session', ({ tree }) => tree.name === 'features');
    client.send(
      `<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>${resource}</resource></bind></iq>`,
    );
    await client.answer('bind');
    return client;
  }

  /** Sends XML as it is written. */
  send(xml: string): void {
    this.#socket.write(xml);
  }

  /** The answer to a request with this id. */
  async answer(id: string): Promise<Item> {
    const isAnswer = ({ tree }: Item): boolean =>
      tree.name === 'iq' && tree.attributes.get('id') === id && tree.attributes.get('type') !== 'set';
    return this.hears(`the answer to the request ${id}`, isAnswer);
  }

  /** The request that came last and has no answer yet, as who sent it and its id. @throws Error when none comes */
  async request(): Promise<{ readonly from: string; readonly id: string }> {
    const isRequest = ({ tree }: Item): boolean =>
      tree.name === 'iq' && ['get', 'set'].includes(tree.attributes.get('type') ?? '');
    const { attributes } = (await this.hears('a request', isRequest)).tree;
    return { from: attributes.get('from') ?? '', id: attributes.get('id') ?? '' };
  }

  /** Takes the first item of those that were not taken yet which is meant. @param what it is, for an error */
  async hears(what: string, isMeant: (item: Item) => boolean): Promise<Item> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const index = this.#heard.findIndex(isMeant);
      const [item] = index === -1 ? [] : this.#heard.splice(index, 1);
      if (item !== undefined) return item;
      const left = deadline - Date.now();
      if (this.#isClosed || left <= 0) {
        const heard = this.#heard.map(({ text }) => text).join('\n');
        throw new Error(
          `${what} did not come${this.#isClosed ? ' before the connection was closed' : ''}; heard were:\n${heard}`,
        );
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#news = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Says goodbye. */
  async leave(): Promise<void> {
    if (this.#isClosed) return;
    this.#socket.end('</stream:stream>');
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#socket.destroy(), PATIENCE_MS);
      this.#socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
