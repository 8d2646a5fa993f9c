/** The rooms of the loopback server: an XEP-0045 service with history, stanza ids and occupant ids, whose owners configure their rooms. */
import { createHash } from 'node:crypto';
import { StanzaError } from '../xmpp-core/errors.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import { newId } from '../xmpp-core/stanza/ids.js';
import { NS_CLIENT } from '../xmpp-core/stanza/namespaces.js';
import { errorReply } from '../xmpp-core/stanza/stanza-error.js';
import { el, Element } from '../xmpp-core/xml/element.js';
import { writeDiscoInfo, writeDiscoItems, NS_DISCO_INFO, NS_DISCO_ITEMS } from '../xeps/xep-0030-service-discovery.js';
import { childForm } from '../xeps/xep-0004-data-forms.js';
import { NS_MUC_ADMIN, readList } from '../xeps/xep-0045-muc/admin.js';
import { NS_MUC } from '../xeps/xep-0045-muc/join.js';
import { NS_MUC_USER, Status, writeMucUser, type Affiliation, type Role } from '../xeps/xep-0045-muc/muc-user.js';
import { NS_MUC_OWNER, writeConfiguration } from '../xeps/xep-0045-muc/owner.js';
import { readDateTime } from '../xeps/xep-0082-date-time.js';
import { NS_DELAY, writeDelay } from '../xeps/xep-0203-delayed-delivery.js';
import { NS_STABLE_IDS, writeStanzaId } from '../xeps/xep-0359-stable-ids.js';
import { NS_MAM } from '../xeps/xep-0313-message-archive/codecs.js';
import { NS_OCCUPANT_ID, writeOccupantId } from '../xeps/xep-0421-occupant-id.js';
import { ARCHIVE_FEATURES, type Archives } from './archives.js';
import { changedSettings, DEFAULT_SETTINGS, featuresOf, settingsForm, type RoomSettings } from './room-settings.js';

interface Occupant {
  readonly nick: string;
  /** The full JID that receives the messages. */
  readonly jid: Jid;
}

interface LoopbackRoom {
  readonly jid: Jid;
  readonly occupants: Map<string, Occupant>;
  readonly history: { readonly message: Element; readonly at: Date }[];
  /** By bare JID; absent for `none`. */
  readonly affiliations: Map<string, Affiliation>;
  settings: RoomSettings;
  subject: string;
  locked: boolean;
}

/** Sends a stanza to the client that its `to` names. */
export type Deliver = (stanza: Element) => void;

const MAX_HISTORY = 100;
const FEATURES = [NS_DISCO_INFO, NS_STABLE_IDS, NS_OCCUPANT_ID, ...ARCHIVE_FEATURES];
/** Payloads that only the room may add: they are removed from messages of occupants. */
const RESERVED_NAMESPACES: ReadonlySet<string> = new Set([
  NS_DELAY,
  NS_OCCUPANT_ID,
  'http://jabber.org/protocol/muc#user',
]);

/** A service with rooms. */
export class Rooms {
  readonly domain: string;
  readonly #deliver: Deliver;
  readonly #archives: Archives;
  readonly #rooms = new Map<string, LoopbackRoom>();

  constructor(domain: string, deliver: Deliver, archives: Archives) {
    this.domain = domain;
    this.#deliver = deliver;
    this.#archives = archives;
  }

  /** Handles a stanza to the service, a room or an occupant. */
  handle(stanza: Element, from: Jid, to: Jid): void {
    try {
      if (stanza.name === 'iq') this.#handleIq(stanza, from, to);
      else if (to.localpart === '') throw new StanzaError('cancel', 'service-unavailable');
      else if (stanza.name === 'presence') this.#handlePresence(stanza, from, to);
      else this.#handleMessage(stanza, from, to);
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error;
      // RFC 6120 §8.3.1: an error is not answered with an error.
      if (stanza.attr('type') !== 'error')
        this.#deliver(errorReply(stanza, error).withAttributes({ to: from.toString() }));
    }
  }

  /** Removes a client that is gone from all rooms. */
  drop(jid: Jid): void {
    for (const room of this.#rooms.values()) {
      const occupant = occupantOf(room, jid);
      if (occupant !== undefined) this.#remove(room, occupant, []);
    }
  }

  /** Removes an occupant like a moderator does. @param statuses the reason (307 kicked, 301 banned, 332 shutdown …) */
  expel(room: Jid, nick: string, statuses: readonly number[]): void {
    const found = this.#rooms.get(room.bare.toString());
    const occupant = found?.occupants.get(nick);
    if (found !== undefined && occupant !== undefined) this.#remove(found, occupant, statuses);
  }

  #handleIq(iq: Element, from: Jid, to: Jid): void {
    const payload = iq.children()[0];
    if (to.resource !== '') return this.#passOn(iq, from, to);
    if (iq.attr('type') !== 'get' && iq.attr('type') !== 'set') return;
    const result = (content: Element | undefined): void =>
      this.#deliver(
        el('iq', NS_CLIENT, { type: 'result', id: iq.attr('id'), from: to.toString(), to: from.toString() }, content),
      );
    const room = this.#rooms.get(to.bare.toString());
    if (to.localpart !== '' && room === undefined) throw new StanzaError('cancel', 'item-not-found');
    if (payload?.ns === NS_DISCO_INFO) {
      const identity = { category: 'conference', type: 'text', name: room?.jid.localpart ?? 'Rooms' };
      const features = new Set([...FEATURES, ...featuresOf(room?.settings ?? DEFAULT_SETTINGS)]);
      return result(writeDiscoInfo({ identities: [identity], features, forms: [] }));
    }
    if (payload?.ns === NS_DISCO_ITEMS && to.localpart === '') {
      return result(writeDiscoItems([...this.#rooms.values()].map(({ jid }) => ({ jid, name: jid.localpart }))));
    }
    if (payload?.ns === NS_MAM && room !== undefined)
      return result(this.#archives.answer(room.jid, from, payload, (found) => this.#deliver(found)));
    if (payload !== undefined && room !== undefined && [NS_MUC_OWNER, NS_MUC_ADMIN].includes(payload.ns)) {
      if (affiliationOf(room, from) !== 'owner') throw StanzaError.of('forbidden');
      if (payload.ns === NS_MUC_ADMIN) this.#changeAffiliations(room, payload);
      else if (iq.attr('type') === 'get') return result(writeConfiguration(settingsForm(room.settings)));
      else configure(room, payload);
      return result(undefined);
    }
    throw new StanzaError('cancel', 'service-unavailable');
  }

  /** Requests between occupants, and their answers, go through the room (XEP-0045 §17.4). */
  #passOn(iq: Element, from: Jid, to: Jid): void {
    const room = this.#rooms.get(to.bare.toString());
    const isRequest = iq.attr('type') === 'get' || iq.attr('type') === 'set';
    const sender = room === undefined ? undefined : occupantOf(room, from);
    const receiver = room?.occupants.get(to.resource);
    if (room !== undefined && sender !== undefined && receiver !== undefined) {
      const source = room.jid.withResource(sender.nick).toString();
      this.#deliver(iq.withAttributes({ from: source, to: receiver.jid.toString() }));
    } else if (isRequest) {
      if (room === undefined) throw StanzaError.of('item-not-found');
      // XEP-0410 §3.2: who is not in the room gets `not-acceptable`.
      throw StanzaError.of(sender === undefined ? 'not-acceptable' : 'item-not-found');
    }
  }

  #handlePresence(presence: Element, from: Jid, to: Jid): void {
    const room = this.#rooms.get(to.bare.toString());
    const present = room === undefined ? undefined : occupantOf(room, from);
    if (presence.attr('type') === 'unavailable') {
      if (room !== undefined && present !== undefined) this.#remove(room, present, []);
      return;
    }
    if (to.resource === '') throw new StanzaError('modify', 'jid-malformed');
    const holder = room?.occupants.get(to.resource);
    if (holder !== undefined && !holder.jid.equals(from)) throw new StanzaError('cancel', 'conflict');
    // §17.3: a client that joins again while it is in the room wants the full state again.
    const isJoin = present === undefined || presence.child('x', NS_MUC) !== undefined;
    if (present !== undefined && isJoin) room?.occupants.delete(present.nick);
    if (isJoin) this.#join(presence, from, to, room);
    else if (room !== undefined && present.nick !== to.resource) this.#rename(room, present, to.resource);
  }

  /** §7.6: the old nickname leaves, and the new one enters. */
  #rename(room: LoopbackRoom, before: Occupant, nick: string): void {
    const after = { nick, jid: before.jid };
    room.occupants.delete(before.nick);
    room.occupants.set(nick, after);
    for (const { jid } of room.occupants.values()) {
      const own = jid === before.jid ? [Status.self] : [];
      this.#sendPresence(room, before, jid, [Status.nickChanged, ...own], { into: nick });
      this.#sendPresence(room, after, jid, own);
    }
  }

  #join(presence: Element, from: Jid, to: Jid, existing: LoopbackRoom | undefined): void {
    if (existing?.locked === true) throw new StanzaError('cancel', 'item-not-found');
    if (existing !== undefined) admit(existing, from, presence.child('x', NS_MUC)?.childText('password'));
    const room = existing ?? createdBy(from, to.bare);
    this.#rooms.set(room.jid.toString(), room);
    const newcomer = { nick: to.resource, jid: from };
    for (const other of room.occupants.values()) this.#sendPresence(room, other, newcomer.jid, []);
    room.occupants.set(newcomer.nick, newcomer);
    for (const other of room.occupants.values()) {
      const own = [
        Status.self,
        ...(room.settings.showsJids ? [Status.nonAnonymous] : []),
        ...(existing === undefined ? [Status.created] : []),
      ];
      this.#sendPresence(room, newcomer, other.jid, other === newcomer ? own : []);
    }
    for (const message of requestedHistory(room, presence))
      this.#deliver(message.withAttributes({ to: from.toString() }));
    const subject = el('subject', NS_CLIENT, {}, room.subject);
    this.#deliver(
      el('message', NS_CLIENT, { type: 'groupchat', from: room.jid.toString(), to: from.toString() }, subject),
    );
  }

  #handleMessage(message: Element, from: Jid, to: Jid): void {
    const room = this.#rooms.get(to.bare.toString());
    const sender = room === undefined ? undefined : occupantOf(room, from);
    if (room === undefined) throw new StanzaError('cancel', 'item-not-found');
    if (sender === undefined) throw new StanzaError('modify', 'not-acceptable');
    const source = room.jid.withResource(sender.nick).toString();
    if (to.resource !== '') {
      const occupant = room.occupants.get(to.resource);
      if (occupant === undefined) throw new StanzaError('cancel', 'item-not-found');
      // §7.5: marks the message as one from an occupant, as opposed to one from an account, also in copies and archives.
      const nodes = message.nodes.filter((node) => typeof node === 'string' || !node.is('x', NS_MUC_USER));
      const privateMessage = new Element('message', NS_CLIENT, message.attributes, [
        ...nodes,
        el('x', NS_MUC_USER),
      ]).withAttributes({ from: source, to: occupant.jid.toString() });
      // As on real servers, it goes to the archive of its receiver.
      const account = occupant.jid.bare;
      const isKept = message.child('body') !== undefined;
      const id = isKept ? writeStanzaId(this.#archives.store(account, privateMessage), account) : undefined;
      this.#deliver(id === undefined ? privateMessage : privateMessage.withNodes(id));
      return;
    }
    if (roleOf(room, affiliationOf(room, from)) === 'visitor') throw StanzaError.of('forbidden');
    const trusted = message.nodes.filter((node) => typeof node === 'string' || !this.#isForged(node, room));
    const clean = new Element('message', NS_CLIENT, message.attributes, [
      ...trusted,
      occupantId(room, sender),
    ]).withAttributes({ from: source, to: undefined });
    const isKept = message.child('body') !== undefined;
    const id = isKept ? this.#archives.store(room.jid, clean) : newId();
    const published = clean.withNodes(writeStanzaId(id, room.jid));
    if (isKept) {
      room.history.push({ message: published, at: new Date() });
      if (room.history.length > MAX_HISTORY) room.history.shift();
    } else if (message.child('subject') !== undefined) {
      room.subject = message.childText('subject') ?? '';
    }
    for (const occupant of room.occupants.values())
      this.#deliver(published.withAttributes({ to: occupant.jid.toString() }));
  }

  #isForged(payload: Element, room: LoopbackRoom): boolean {
    return (
      RESERVED_NAMESPACES.has(payload.ns) ||
      (payload.is('stanza-id', NS_STABLE_IDS) && payload.attr('by') === room.jid.toString())
    );
  }

  #remove(room: LoopbackRoom, leaver: Occupant, statuses: readonly number[]): void {
    room.occupants.delete(leaver.nick);
    for (const { jid } of [leaver, ...room.occupants.values()]) {
      const codes = jid === leaver.jid ? [Status.self, ...statuses] : statuses;
      this.#sendPresence(room, leaver, jid, codes, {});
    }
    if (room.occupants.size > 0) return;
    this.#rooms.delete(room.jid.toString());
    this.#archives.delete(room.jid);
  }

  /** Changes affiliations, and removes occupants who may no longer be in the room (§9.1, §9.4). */
  #changeAffiliations(room: LoopbackRoom, query: Element): void {
    for (const { jid, affiliation } of readList(query)) {
      if (jid === undefined) throw StanzaError.of('bad-request');
      room.affiliations.set(jid.toString(), affiliation);
      const gone = [...room.occupants.values()].filter((occupant) => occupant.jid.bare.equals(jid));
      const status = affiliation === 'outcast' ? Status.banned : Status.affiliationLost;
      const isOut = affiliation === 'outcast' || (affiliation === 'none' && room.settings.membersOnly);
      for (const occupant of gone) {
        if (isOut) this.#remove(room, occupant, [status]);
        else this.#showChange(room, occupant);
      }
    }
  }

  /** Tells everybody the role and affiliation of an occupant (§9.3). */
  #showChange(room: LoopbackRoom, occupant: Occupant): void {
    for (const { jid } of room.occupants.values())
      this.#sendPresence(room, occupant, jid, jid === occupant.jid ? [Status.self] : []);
  }

  /** Sends `to` the presence of an occupant. @param gone set if the occupant has left; `into` is the new nickname, after a change */
  #sendPresence(
    room: LoopbackRoom,
    about: Occupant,
    to: Jid,
    statuses: readonly number[],
    gone?: { readonly into?: string },
  ): void {
    const affiliation = affiliationOf(room, about.jid);
    const isShown = room.settings.showsJids || affiliationOf(room, to) === 'owner' || to.equals(about.jid);
    const user = writeMucUser({
      affiliation,
      role: gone === undefined ? roleOf(room, affiliation) : 'none',
      jid: isShown ? about.jid : undefined,
      nick: gone?.into,
      statuses: new Set(statuses),
    });
    const from = room.jid.withResource(about.nick).toString();
    const type = gone === undefined ? undefined : 'unavailable';
    this.#deliver(el('presence', NS_CLIENT, { from, to: to.toString(), type }, user, occupantId(room, about)));
  }
}

/** Creates a room. Its creator becomes the owner (§10.1.1), and configures it before others can enter. */
function createdBy(owner: Jid, jid: Jid): LoopbackRoom {
  return {
    jid,
    occupants: new Map(),
    history: [],
    affiliations: new Map([[owner.bare.toString(), 'owner']]),
    settings: DEFAULT_SETTINGS,
    subject: '',
    locked: true,
  };
}

function affiliationOf({ affiliations }: LoopbackRoom, { bare }: Jid): Affiliation {
  return affiliations.get(bare.toString()) ?? 'none';
}

function roleOf({ settings }: LoopbackRoom, affiliation: Affiliation): Role {
  if (affiliation === 'owner') return 'moderator';
  return settings.moderated && affiliation === 'none' ? 'visitor' : 'participant';
}

/** @throws StanzaError if the room does not admit the newcomer (§7.2.5 to §7.2.7) */
function admit(room: LoopbackRoom, newcomer: Jid, password: string | undefined): void {
  const { membersOnly, isProtected, secret } = room.settings;
  const affiliation = affiliationOf(room, newcomer);
  if (affiliation === 'outcast') throw StanzaError.of('forbidden');
  if (affiliation === 'none' && membersOnly) throw StanzaError.of('registration-required');
  if (affiliation !== 'owner' && isProtected && password !== secret) throw StanzaError.of('not-authorized');
}

/** Applies the owner's settings; a new room is unlocked by that. */
function configure(room: LoopbackRoom, query: Element): void {
  const form = childForm(query);
  if (form?.type !== 'submit') throw StanzaError.of('bad-request');
  room.settings = changedSettings(room.settings, form);
  room.locked = false;
}

function occupantOf(room: LoopbackRoom, jid: Jid): Occupant | undefined {
  return [...room.occupants.values()].find((occupant) => occupant.jid.equals(jid));
}

/** The occupant id: always the same for an account in a room, without revealing the account (XEP-0421 §4). */
function occupantId(room: LoopbackRoom, { jid }: Occupant): Element {
  return writeOccupantId(
    createHash('sha256').update(`${room.jid.toString()} ${jid.bare.toString()}`).digest('base64url'),
  );
}

/** The part of the history that the client requests (XEP-0045 §7.2.13). */
function requestedHistory(room: LoopbackRoom, join: Element): Element[] {
  const request = join.child('x', NS_MUC)?.child('history');
  const since = readDateTime(request?.attr('since'))?.getTime() ?? 0;
  const limit = Number(request?.attr('maxstanzas') ?? 20);
  const wanted = room.history.filter(({ at }) => at.getTime() >= since);
  return (limit > 0 ? wanted.slice(-limit) : []).map(({ message, at }) =>
    message.withNodes(writeDelay({ stamp: at, from: room.jid })),
  );
}
