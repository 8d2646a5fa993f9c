/** This library as an implementation of XMPP: an application of its public face that does and tells what scenarios ask for. */
import { messageOf, type AnyMessage } from '../../src/xeps/message-identity.js';
import type { ClientOptions } from '../../src/xmpp-core/client-options.js';
import { type Client, createClient, type Offline } from '../../src/xmpp-core/client.js';
import { XmppError } from '../../src/xmpp-core/errors.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import type { Message } from '../../src/xmpp-core/stanza/stanzas.js';
import { memoryStorage } from '../../src/xmpp-core/storage.js';
import type { Element } from '../../src/xmpp-core/xml/element.js';
import { line, type Implementation, type Line, type Site, type StartImplementation } from './implementation.js';
import { ActionError, Asked } from './library/asked.js';
import { coreActions, presenceFields, readPresence } from './library/core.js';
import type { Action, Application, Extension, Fields } from './library/extension.js';
import { failure } from './library/failures.js';
import { extensionsOf } from './library/index.js';
import { Memory } from './library/memory.js';
import { isOfRoom } from './library/rooms.js';
import type { Settings } from './scenario.js';

const NS_XML = 'http://www.w3.org/XML/1998/namespace';
/** Those are told as what they mean to the roster, where that is switched on. */
const OF_SUBSCRIPTIONS: readonly string[] = ['subscribe', 'subscribed', 'unsubscribe', 'unsubscribed'];

export const startLibrary: StartImplementation = async (settings, site, told) => {
  const extensions = extensionsOf(settings.client);
  const storage = memoryStorage();
  return new Library(
    (start) => createClient({ ...optionsOf(settings, site, extensions), ...start, storage }),
    { extensions, hasRoster: settings.client.includes('roster') },
    told,
  );
};

function optionsOf(settings: Settings, site: Site, extensions: readonly Extension[]): ClientOptions {
  const { account, password, resource, way, login } = settings;
  return {
    jid: Jid.parse(account),
    password,
    login: LOGINS[login],
    ...(resource === undefined ? {} : { resource }),
    ...(way === 'WebSocket'
      ? { websocket: site.webSocket }
      : { server: { host: site.host, port: site.port, directTls: way === 'direct TLS' } }),
    ca: site.authority,
    ...(login === 'external' ? { certificate: site.identity } : {}),
    plugins: extensions.flatMap(({ plugins = [] }) => plugins),
    reconnect: { firstMs: 1, maxMs: 20 },
  };
}

const LOGINS = { password: 'password', anonymous: 'ANONYMOUS', external: 'EXTERNAL' } as const;

/** What is switched on in the client. */
interface Abilities {
  readonly extensions: readonly Extension[];
  readonly hasRoster: boolean;
}

class Library implements Implementation {
  readonly #create: (start: Pick<ClientOptions, 'presence'>) => Client;
  readonly #abilities: Abilities;
  readonly #told: (event: Line) => void;
  readonly #heard = new Memory<AnyMessage>();
  readonly #sent = new Memory<Element>();
  /** None before the first start. */
  #client: Client | undefined;
  #actions: ReadonlyMap<string, Action> = new Map();

  constructor(
    create: (start: Pick<ClientOptions, 'presence'>) => Client,
    abilities: Abilities,
    told: (event: Line) => void,
  ) {
    this.#create = create;
    this.#abilities = abilities;
    this.#told = told;
  }

  act(action: Line): void {
    const asked = new Asked(action);
    if (action.verb === 'start') return this.#start(asked);
    const client = this.#client;
    if (client === undefined) throw new ActionError(`'${action.verb}' comes before 'start'`);
    if (action.verb === 'stop') return this.#do(asked, () => this.#end(client));
    const perform = this.#actions.get(action.verb);
    if (perform === undefined) {
      throw new ActionError(
        `no action '${action.verb}'; there are start, stop, ${[...this.#actions.keys()].join(', ')}`,
      );
    }
    this.#do(asked, perform);
  }

  async stop(): Promise<void> {
    await this.#client?.stop();
  }

  /** A client that was stopped does not start again; another one takes its place, with what that one had stored. */
  #start(asked: Asked): void {
    const presence = asked.text('presence') === 'none' ? false : readPresence(asked);
    asked.allRead();
    const client = this.#create({ presence });
    const application = this.#application(client);
    this.#client = client;
    this.#listen(application);
    const attached = this.#abilities.extensions.map(({ attach }) => attach?.(application) ?? {});
    this.#actions = new Map([coreActions(application), ...attached].flatMap((actions) => Object.entries(actions)));
    // Why it failed is told by the event `offline`.
    client.start().catch(() => undefined);
  }

  #end(client: Client): void {
    client.stop().catch((error: unknown) => this.#tell('error', { of: 'stop', ...failure(error, 'local') }));
  }

  #do(asked: Asked, perform: Action): void {
    const failed = (error: unknown): void => this.#tell('error', { of: asked.verb, ...failure(error, 'local') });
    try {
      const outcome = perform(asked, (fields) => this.#tell('item', { of: asked.verb, ...fields }));
      outcome?.then((fields) => this.#tell('done', { of: asked.verb, ...fields }), failed);
      asked.allRead();
    } catch (error) {
      if (!(error instanceof XmppError)) throw error;
      failed(error);
    }
  }

  #application(client: Client): Application {
    const { extensions } = this.#abilities;
    const application: Application = {
      client,
      tell: (verb, fields = {}) => this.#tell(verb, fields),
      tellMessage: (said, more = {}) => {
        const message = messageOf(said);
        this.#heard.note(message.id, said);
        // In a room, what speaks of a message later names it by the id that the room gave it.
        if ('message' in said) this.#heard.note(said.stanzaId, said);
        this.#tell('message', { ...application.messageFields(said), ...more });
      },
      messageFields: (said) => {
        const message = messageOf(said);
        return Object.assign(
          messageFields(message),
          ...extensions.map(({ read }) => read?.(message, application, said)),
        ) as Fields;
      },
      heard: (id) => this.#heard.get(id),
      sent: (id) => this.#sent.get(id),
      compose: (message, asked) => {
        const composed = extensions.reduce(
          (element: Element, { compose }) => compose?.(element, asked, client) ?? element,
          message,
        );
        this.#sent.note(composed.attr('id'), composed);
        return composed;
      },
    };
    return application;
  }

  #listen({ client, tellMessage }: Application): void {
    const { events } = client;
    events.on('online', ({ jid, resumed }) =>
      this.#tell('online', { jid: jid.toString(), resumed: resumed ? 'yes' : undefined }),
    );
    events.on('suspended', ({ reason }) => this.#tell('suspended', reasonOf(reason)));
    events.on('offline', (offline) => this.#tell('offline', offlineFields(offline)));
    events.on('message', (message) => tellMessage(message));
    events.on('presence', (presence) => {
      if (this.#abilities.hasRoster && OF_SUBSCRIPTIONS.includes(presence.type)) return;
      if (isOfRoom(presence)) return;
      this.#tell('presence', presenceFields(presence));
    });
    events.on('undelivered', ({ from, id, error }) =>
      this.#tell('undelivered', { from: from.toString(), id, ...failure(error, 'local') }),
    );
    // What a client makes of stanzas that it cannot use is its own business; that it breaks is not.
    events.on('error', ({ error, where }) => {
      if (!(error instanceof XmppError)) this.#tell('fault', { where, text: String(error) });
    });
  }

  #tell(verb: string, fields: Fields): void {
    this.#told(line(verb, fields));
  }
}

function messageFields({ element, from, type, id, body, subject, thread, parentThread }: Message): Fields {
  return {
    from: from.toString(),
    type,
    id,
    body,
    subject,
    thread,
    'parent-thread': parentThread,
    language: element.attr('lang', NS_XML),
  };
}

function offlineFields({ reason, willRetry }: Offline): Fields {
  return reason === undefined ? {} : { ...reasonOf(reason), retry: willRetry ? 'yes' : 'no' };
}

function reasonOf(reason: Error | undefined): Fields {
  return reason === undefined ? {} : failure(reason, 'connection');
}
