/** Finding rooms: the chat services of a server, the rooms of a service, and what a room says about itself (XEP-0045 §6). */
import { StanzaError, TimeoutError } from '../../xmpp-core/errors.js';
import { Jid } from '../../xmpp-core/jid/jid.js';
import type { PluginContext } from '../../xmpp-core/plugin.js';
import { el } from '../../xmpp-core/xml/element.js';
import { answerOr } from '../answer-or.js';
import { NS_DISCO_ITEMS, readDiscoItems, serviceDiscovery } from '../xep-0030-service-discovery.js';
import { readPage, writePageRequest } from '../xep-0059-result-set-management.js';
import { RoomError } from './room-error.js';
import {
  hasRooms,
  mayHaveRooms,
  readRoomInformation,
  type ListedRoom,
  type RoomInformation,
} from './room-information.js';

const TIMEOUT_MS = 10_000;
const PAGE_SIZE = 100;
/** At most so many rooms of one service are listed. */
const MAX_LISTED_ROOMS = 10_000;

/** Discovery on behalf of one client. */
export class RoomDiscovery {
  readonly #context: PluginContext;

  constructor(context: PluginContext) {
    this.#context = context;
  }

  /** What a room says about itself (§6.4). @throws StanzaError, TimeoutError, the signal's reason */
  async information(room: Jid, signal?: AbortSignal): Promise<RoomInformation> {
    const options = { timeoutMs: TIMEOUT_MS, ...(signal === undefined ? {} : { signal }) };
    return readRoomInformation(await this.#context.get(serviceDiscovery).info(room, options));
  }

  /**
   * The features of a room.
   * @throws StanzaError by the entity; `service-unavailable` also for one that says that it is something else; TimeoutError, the signal's reason
   */
  async features(room: Jid, signal: AbortSignal): Promise<ReadonlySet<string>> {
    const info = await this.#context.get(serviceDiscovery).info(room, { timeoutMs: TIMEOUT_MS, signal });
    if (info.identities.length > 0 && !mayHaveRooms(info)) throw StanzaError.of('service-unavailable');
    return info.features;
  }

  /**
   * Asks the service of an address whether it has rooms. A join of what is no room is often not answered at all: the presence goes to an
   * account, or to a service that ignores it.
   * @throws RoomError if there can be no room at this address; a service that does not say so may have one
   */
  async checkService(room: Jid, signal: AbortSignal): Promise<void> {
    const service = Jid.parse(room.domainpart);
    try {
      const info = await this.#context.get(serviceDiscovery).info(service, { timeoutMs: TIMEOUT_MS, signal });
      if (mayHaveRooms(info)) return;
      const isServer = info.identities.some(({ category }) => category === 'server');
      const refusal = StanzaError.of('service-unavailable');
      throw new RoomError(room, 'join', refusal, isServer ? 'not-a-room' : 'not-a-service');
    } catch (error) {
      if (error instanceof TimeoutError) return;
      if (!(error instanceof StanzaError)) throw error;
      // Our own server answers for the service: without connections to others it allows none.
      if (error.condition === 'not-allowed') throw new RoomError(room, 'join', error, 'unreachable');
    }
  }

  /** The chat services of our server (§6.1, §6.2). @throws StanzaError, TimeoutError */
  async services(): Promise<Jid[]> {
    const disco = this.#context.get(serviceDiscovery);
    const items = await disco.items(Jid.parse(this.#context.account.domainpart));
    const found = await Promise.all(
      // A service that does not answer has no rooms for us.
      items.map(({ jid }) => answerOr(disco.info(jid, { timeoutMs: TIMEOUT_MS }), undefined)),
    );
    return items.flatMap(({ jid }, index) => {
      const info = found[index];
      return info !== undefined && hasRooms(info) ? [jid] : [];
    });
  }

  /** The public rooms of a service (§6.3), at most 10,000. @throws StanzaError, TimeoutError */
  async list(service: Jid): Promise<ListedRoom[]> {
    const listed: ListedRoom[] = [];
    for (let after: string | undefined; listed.length < MAX_LISTED_ROOMS;) {
      const request = writePageRequest({ max: PAGE_SIZE, ...(after === undefined ? {} : { after }) });
      const payload = el('query', NS_DISCO_ITEMS, {}, request);
      const query = await this.#context.iq({ to: service, type: 'get', payload });
      const items = query === undefined ? [] : readDiscoItems(query);
      listed.push(...items.map(({ jid, name }) => ({ jid, name })));
      const page = query === undefined ? undefined : readPage(query);
      // An empty page, or the same page again, is the last.
      if (items.length === 0 || page?.last === undefined || page.last === after) break;
      if (page.count !== undefined && listed.length >= page.count) break;
      after = page.last;
    }
    return listed.slice(0, MAX_LISTED_ROOMS);
  }
}
