/**
 * XEP-0115 Entity Capabilities, 1.6.0 (Stable). https://xmpp.org/extensions/xep-0115.html
 *
 * Sums up in our presence what we are and can do, and learns it of others from theirs: an answer is asked for once, when somebody wants
 * to know, and counts for everybody who announces the same hash only if it gives that hash. Other ways to sum up, such as XEP-0390,
 * are added to this one memory.
 *
 * Left out: the format from before 1.4, which cannot be verified; a cache that outlives the process.
 */
import { BoundedMap } from '../xmpp-core/bounded-map.js';
import type { Listenable } from '../xmpp-core/events.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, from, type Plugin } from '../xmpp-core/plugin.js';
import { NS_CLIENT } from '../xmpp-core/stanza/namespaces.js';
import { el, NS_XML, type Element } from '../xmpp-core/xml/element.js';
import { fieldValues, formType, NS_DATA_FORMS, readDataForm, type DataForm } from './xep-0004-data-forms.js';
import { readDiscoInfo, serviceDiscovery, writeDiscoInfo, type DiscoInfo } from './xep-0030-service-discovery.js';
import { canDigest, digestBase64 } from './xep-0300-cryptographic-hashes.js';

export const NS_CAPS = 'http://jabber.org/protocol/caps';

/** What stands in a presence (§4). */
export interface Capabilities {
  /** The function that gave `ver`. */
  readonly hash: string;
  /** A URI of the software. */
  readonly node: string;
  readonly ver: string;
}

/** More than any of the three is long; more is not worth keeping. */
const MAX_LENGTH = 512;

/** Reads them; `undefined` for those of the format without a hash (§5.4). */
export function readCapabilities(presence: Element): Capabilities | undefined {
  const c = presence.child('c', NS_CAPS);
  const [hash, node, ver] = [c?.attr('hash'), c?.attr('node'), c?.attr('ver')];
  if (hash === undefined || node === undefined || ver === undefined) return undefined;
  return [hash, node, ver].every(({ length }) => length > 0 && length <= MAX_LENGTH) ? { hash, node, ver } : undefined;
}

export function writeCapabilities({ hash, node, ver }: Capabilities): Element {
  return el('c', NS_CAPS, { hash, node, ver });
}

/**
 * What is hashed (§5.1).
 * @param query an answer to a disco#info, as it came
 * @returns `undefined` when it is ill-formed (§5.4): something is there twice, or it contains the `<` that is to separate
 */
export function verificationString(query: Element): string | undefined {
  const identities = query
    .children('identity')
    .map((one) => [one.attr('category'), one.attr('type'), one.attr('lang', NS_XML), one.attr('name')])
    .map((parts) => parts.map((part = '') => part))
    .sort(byParts);
  const features = query.children('feature').map((feature) => feature.attr('var') ?? '');
  const forms = query
    .children('x', NS_DATA_FORMS)
    .map(readDataForm)
    .filter((form) => form !== undefined)
    .filter((form) => formType(form) !== undefined);
  // Of a FORM_TYPE with several values, only different ones are an offence.
  if (forms.some((form) => new Set(fieldValues(form, 'FORM_TYPE')).size > 1)) return undefined;
  const lines = [
    identities.map((parts) => parts.join('/')),
    features.sort(byOctets),
    forms.map((form) => formType(form) ?? '').sort(byOctets),
  ];
  if (lines.some((some) => new Set(some).size < some.length)) return undefined;
  const all = [...(lines[0] ?? []), ...features, ...forms.sort(byFormType).flatMap(formLines)];
  // Nobody needs it in a name, and whoever writes it there wants two answers to have one hash (§7.3).
  return all.some((line) => line.includes('<')) ? undefined : all.map((line) => `${line}<`).join('');
}

function formLines(form: DataForm): string[] {
  const fields = form.fields.filter(({ name }) => name !== undefined && name !== 'FORM_TYPE');
  const sorted = fields.sort((a, b) => byOctets(a.name ?? '', b.name ?? ''));
  return [formType(form) ?? '', ...sorted.flatMap(({ name = '', values }) => [name, ...[...values].sort(byOctets)])];
}

function byFormType(a: DataForm, b: DataForm): number {
  return byOctets(formType(a) ?? '', formType(b) ?? '');
}

function byParts(a: readonly string[], b: readonly string[]): number {
  for (const [i, part] of a.entries()) {
    const order = byOctets(part, b[i] ?? '');
    if (order !== 0) return order;
  }
  return 0;
}

/** The collation `i;octet`: that of UTF-8, which differs from JavaScript's own beyond U+FFFF. */
export function byOctets(a: string, b: string): number {
  const [left, right] = [a[Symbol.iterator](), b[Symbol.iterator]()];
  for (;;) {
    const [one, other] = [left.next(), right.next()];
    if (one.done === true || other.done === true) return Number(other.done ?? false) - Number(one.done ?? false);
    const order = (one.value.codePointAt(0) ?? 0) - (other.value.codePointAt(0) ?? 0);
    if (order !== 0) return order;
  }
}

/** What an entity announced of itself. */
export interface Announced {
  /** Where to ask for what it stands for. */
  readonly node: string;
  /** The same for all who are and can do the same; `undefined` when we cannot compute the hash, so that it tells nothing of others. */
  readonly key: string | undefined;
  /** Whether an answer gives the hash. */
  matches(query: Element): Promise<boolean>;
}

/** A way to sum up an answer to a disco#info. */
export interface CapabilitiesMethod {
  /** What a presence or a `<stream:features/>` announces. */
  read(parent: Element): Announced | undefined;
  /** What we announce for `query`, and the node where it can be asked for. */
  sumUp(query: Element): Promise<{ readonly payload: Element; readonly node: string } | undefined>;
}

export interface EntityCapabilities {
  /** `changed`: an entity announced that it is or can do something else. */
  readonly events: Listenable<{ changed: { readonly entity: Jid } }>;
  /** Adds a way to sum up, which is preferred to those before it. */
  prefer(method: CapabilitiesMethod): void;
  /**
   * What an entity is and can do: remembered where it announced itself, asked otherwise, once a session.
   * @param entity a client by its full JID, a server, a room
   * @throws StanzaError, TimeoutError
   */
  of(entity: Jid | string): Promise<DiscoInfo>;
  /** Whether it has a feature. @throws StanzaError, TimeoutError */
  supports(entity: Jid | string, feature: string): Promise<boolean>;
}

/** How many entities' announcements are kept, how many answers that were verified, and how much of them, in characters. */
const MAX_ENTITIES = 2048;
const MAX_ANSWERS = 256;
const MAX_ANSWER_LENGTH = 32_768;
/** How many nodes of our own still answer when they are of the past (XEP-0390 §6.1: those of three announcements, of each kind). */
const MAX_OWN_NODES = 8;

/** The plugin for a software with that URI. */
export function entityCapabilitiesOf(software: string): Plugin<EntityCapabilities> {
  return definePlugin({
    name: 'entity-capabilities',
    xep: 115,
    features: [NS_CAPS],
    requires: [serviceDiscovery],
    setup(context): EntityCapabilities {
      const disco = context.get(serviceDiscovery);
      const events = context.events<{ changed: { readonly entity: Jid } }>();
      const methods: CapabilitiesMethod[] = [verificationStrings(software)];

      /** What we announce, and the nodes that answer for it and for what we announced before, the newest last. */
      let payloads: readonly Element[] = [];
      const ownNodes = new Map<string, () => void>();
      let isStale = false;
      const sumUpSoon = (): void => {
        if (isStale) return;
        isStale = true;
        context.background(async () => {
          // Changes come in swarms; and at the beginning the other plugins have yet to be set up.
          await Promise.resolve();
          isStale = false;
          await sumUp();
        });
      };
      const sumUp = async (): Promise<void> => {
        const own = disco.own();
        const sums = await Promise.all(methods.map((method) => method.sumUp(writeDiscoInfo(own))));
        if (isStale) return;
        const known = sums.filter((sum) => sum !== undefined);
        if (known.every(({ node }, i) => [...ownNodes.keys()].at(i - known.length) === node)) return;
        for (const { node } of known) {
          ownNodes.get(node)?.();
          ownNodes.delete(node);
          ownNodes.set(node, disco.offer(node, { info: () => own }));
        }
        for (const [node, withdraw] of [...ownNodes].slice(0, -MAX_OWN_NODES)) {
          withdraw();
          ownNodes.delete(node);
        }
        payloads = known.map(({ payload }) => payload);
        context.presenceChanged();
      };
      disco.events.on('changed', sumUpSoon);
      sumUpSoon();
      context.outgoing((stanza) =>
        stanza.is('presence', NS_CLIENT) && stanza.attr('type') === undefined ? stanza.withNodes(...payloads) : stanza,
      );

      const announced = new BoundedMap<string, Announced & { answer?: Promise<DiscoInfo> }>(MAX_ENTITIES);
      const verified = new BoundedMap<string, DiscoInfo>(MAX_ANSWERS);
      const read = (parent: Element): Announced | undefined => {
        for (const method of methods.toReversed()) {
          const found = method.read(parent);
          if (found !== undefined) return found;
        }
        return undefined;
      };
      context.onPresence('every', from.anyone, (presence, { from: entity, type }) => {
        const key = entity.toString();
        // §8.4: one without an announcement changes nothing; servers leave out what they said before.
        const now = type === 'available' ? read(presence) : undefined;
        if (type === 'unavailable' || type === 'error') announced.delete(key);
        if (now === undefined) return;
        const before = announced.get(key);
        if (before?.node === now.node && before.key === now.key) return;
        announced.set(key, now);
        events.emit('changed', { entity });
      });
      // Whoever is still there says so again at the beginning of a session.
      context.onBound(() => announced.clear());

      /** §6.3: the server announces itself in its stream features. */
      const ofServer = (entity: Jid): Announced | undefined => {
        const offers = context.streamFeatures();
        return offers === undefined || entity.toString() !== context.account.domainpart ? undefined : read(offers);
      };
      const ask = async (entity: Jid, known: Announced): Promise<DiscoInfo> => {
        const { node, key } = known;
        const query = await disco.query(entity, { node });
        const info = readDiscoInfo(query);
        // What is not verified is the entity's word about itself alone (§5.4).
        if (key !== undefined && lengthOf(query) <= MAX_ANSWER_LENGTH && (await known.matches(query)))
          verified.set(key, info);
        return info;
      };
      const of: EntityCapabilities['of'] = async (address) => {
        const entity = Jid.from(address);
        const jid = entity.toString();
        const known = announced.get(jid) ?? ofServer(entity);
        if (known === undefined) return disco.infoOnce(entity);
        const answer = known.key === undefined ? undefined : verified.get(known.key);
        if (answer !== undefined) return answer;
        if (!announced.has(jid)) announced.set(jid, known);
        const entry = announced.get(jid) ?? { ...known };
        const asked = (entry.answer ??= ask(entity, known));
        try {
          return await asked;
        } catch (error) {
          // The next one asks again.
          if (entry.answer === asked) delete entry.answer;
          throw error;
        }
      };

      return {
        events,
        of,
        prefer(method) {
          methods.push(method);
          sumUpSoon();
        },
        async supports(entity, feature) {
          return (await of(entity)).features.has(feature);
        },
      };
    },
  });
}

function verificationStrings(software: string): CapabilitiesMethod {
  const hashOf = async (algorithm: string, query: Element): Promise<string | undefined> => {
    const text = verificationString(query);
    return text === undefined ? undefined : digestBase64(algorithm, new TextEncoder().encode(text));
  };
  return {
    read(parent) {
      const capabilities = readCapabilities(parent);
      if (capabilities === undefined) return undefined;
      const { hash, node, ver } = capabilities;
      return {
        node: `${node}#${ver}`,
        key: canDigest(hash) ? `${NS_CAPS} ${hash} ${ver}` : undefined,
        matches: async (query) => (await hashOf(hash, query)) === ver,
      };
    },
    async sumUp(query) {
      // §7.1: the one that everybody knows.
      const ver = await hashOf('sha-1', query);
      if (ver === undefined) return undefined;
      return { payload: writeCapabilities({ hash: 'sha-1', node: software, ver }), node: `${software}#${ver}` };
    },
  };
}

/** How much there is to keep of an element, in characters. */
function lengthOf(element: Element): number {
  const attributes = element.attributes.reduce((sum, { length }) => sum + length, 0);
  return element.nodes.reduce(
    (sum, node) => sum + (typeof node === 'string' ? node.length : lengthOf(node)),
    element.name.length + attributes,
  );
}

/**
 * For this library. The node has to be a URI that nobody else uses and that never changes (§4); it need not lead anywhere, and an address
 * of the web would some day lead to somebody else.
 */
export const entityCapabilities = entityCapabilitiesOf('urn:uuid:5f4c8a52-8f0e-4c1b-9d6a-0e7b1d3f2a94');
