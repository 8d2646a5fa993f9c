/**
 * XEP-0115 Entity Capabilities, 1.6.0 (Stable). https://xmpp.org/extensions/xep-0115.html
 *
 * Announces our identities and features in presence as a hash, and resolves those of others: each hash is queried once, on demand, and the
 * answer is used for everybody who announces that hash, but only if it matches the hash. Other methods, such as XEP-0390, share this cache.
 *
 * Left out: the format from before 1.4, which cannot be verified; a cache that outlives the process.
 */
import { BoundedMap } from '../xmpp-core/bounded-map.js';
import type { Listenable } from '../xmpp-core/events.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, senders, type Plugin } from '../xmpp-core/plugin.js';
import { NS_CLIENT } from '../xmpp-core/stanza/namespaces.js';
import { el, NS_XML, type Element } from '../xmpp-core/xml/element.js';
import { fieldValues, formType, NS_DATA_FORMS, readDataForm, type DataForm } from './xep-0004-data-forms.js';
import { readDiscoInfo, serviceDiscovery, writeDiscoInfo, type DiscoInfo } from './xep-0030-service-discovery.js';
import { canDigest, digestBase64 } from './xep-0300-cryptographic-hashes.js';

/** The namespace of capabilities. */
export const NS_CAPS = 'http://jabber.org/protocol/caps';

/** The capabilities in a presence (§4). */
export interface Capabilities {
  /** The hash function of `ver`. */
  readonly hash: string;
  /** The URI of the software. */
  readonly node: string;
  readonly ver: string;
}

/** A valid value is shorter; longer ones are ignored. */
const MAX_LENGTH = 512;

/** Reads capabilities; `undefined` in the legacy format without a hash (§5.4). */
export function readCapabilities(presence: Element): Capabilities | undefined {
  const c = presence.child('c', NS_CAPS);
  const [hash, node, ver] = [c?.attr('hash'), c?.attr('node'), c?.attr('ver')];
  if (hash === undefined || node === undefined || ver === undefined) return undefined;
  return [hash, node, ver].every(({ length }) => length > 0 && length <= MAX_LENGTH) ? { hash, node, ver } : undefined;
}

/** Writes capabilities. */
export function writeCapabilities({ hash, node, ver }: Capabilities): Element {
  return el('c', NS_CAPS, { hash, node, ver });
}

/**
 * The input of the hash (§5.1).
 * @param query an answer to a disco#info query, unparsed
 * @returns `undefined` if it is invalid (§5.4): something appears twice, or it contains the separator `<`
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
  // A FORM_TYPE may have several values only if they are equal.
  if (forms.some((form) => new Set(fieldValues(form, 'FORM_TYPE')).size > 1)) return undefined;
  const lines = [
    identities.map((parts) => parts.join('/')),
    features.sort(byOctets),
    forms.map((form) => formType(form) ?? '').sort(byOctets),
  ];
  if (lines.some((some) => new Set(some).size < some.length)) return undefined;
  const all = [...(lines[0] ?? []), ...features, ...forms.sort(byFormType).flatMap(formLines)];
  // A `<` in a value serves only to give two different answers the same hash (§7.3).
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

/** The collation `i;octet`: the order of UTF-8, which differs from JavaScript's order of UTF-16 beyond U+FFFF. */
export function byOctets(a: string, b: string): number {
  const [left, right] = [a[Symbol.iterator](), b[Symbol.iterator]()];
  for (;;) {
    const [one, other] = [left.next(), right.next()];
    if (one.done === true || other.done === true) return Number(other.done ?? false) - Number(one.done ?? false);
    const order = (one.value.codePointAt(0) ?? 0) - (other.value.codePointAt(0) ?? 0);
    if (order !== 0) return order;
  }
}

/** The capabilities that an entity announced. */
export interface AnnouncedCapabilities {
  /** The node to query for the information. */
  readonly node: string;
  /** The cache key, the same for all entities with the same hash; `undefined` if we cannot compute the hash function. */
  readonly key: string | undefined;
  /** Whether an answer has the announced hash. */
  matches(query: Element): Promise<boolean>;
}

/** A method to hash an answer to a disco#info query. */
export interface CapabilitiesMethod {
  /** Reads what a presence or `<stream:features/>` announce. */
  read(parent: Element): AnnouncedCapabilities | undefined;
  /** The payload to announce for `query`, and the node at which it can be queried. */
  generate(query: Element): Promise<{ readonly payload: Element; readonly node: string } | undefined>;
}

/** The handle of the plugin. */
export interface EntityCapabilities {
  /** `changed`: an entity announced other capabilities. */
  readonly events: Listenable<{ changed: { readonly entity: Jid } }>;
  /** Adds a method; later ones are preferred. */
  addMethod(method: CapabilitiesMethod): void;
  /**
   * The identities and features of an entity: cached if it announced a hash, otherwise queried once per session.
   * @param entity the full JID of a client, a server, or a room
   * @throws StanzaError, TimeoutError
   */
  of(entity: Jid | string): Promise<DiscoInfo>;
  /** Whether an entity has a feature. @throws StanzaError, TimeoutError */
  supports(entity: Jid | string, feature: string): Promise<boolean>;
}

/** The limits of the cache: announcements, verified answers, and characters per answer. */
const MAX_ENTITIES = 2048;
const MAX_ANSWERS = 256;
const MAX_ANSWER_LENGTH = 32_768;
/** How many of our earlier nodes still answer (XEP-0390 §6.1: those of three announcements, for each method). */
const MAX_OWN_NODES = 8;

/** The plugin for other software. @param software its URI */
export function entityCapabilitiesWith(software: string): Plugin<EntityCapabilities> {
  return definePlugin({
    name: 'entity-capabilities',
    xep: 115,
    features: [NS_CAPS],
    requires: [serviceDiscovery],
    setup(context): EntityCapabilities {
      const disco = context.get(serviceDiscovery);
      const events = context.events<{ changed: { readonly entity: Jid } }>();
      const methods: CapabilitiesMethod[] = [verificationStringMethod(software)];

      /** What we announce, and the nodes of this and earlier announcements, newest last. */
      let payloads: readonly Element[] = [];
      const ownNodes = new Map<string, () => void>();
      let isStale = false;
      const refreshSoon = (): void => {
        if (isStale) return;
        isStale = true;
        context.background(async () => {
          // Changes come in bursts, and at first other plugins are not set up yet.
          await Promise.resolve();
          isStale = false;
          await generate();
        });
      };
      const generate = async (): Promise<void> => {
        const own = disco.own();
        const generated = await Promise.all(methods.map((method) => method.generate(writeDiscoInfo(own))));
        if (isStale) return;
        const known = generated.filter((one) => one !== undefined);
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
      disco.events.on('changed', refreshSoon);
      refreshSoon();
      context.outgoing((stanza) =>
        stanza.is('presence', NS_CLIENT) && stanza.attr('type') === undefined ? stanza.withNodes(...payloads) : stanza,
      );

      const announced = new BoundedMap<string, AnnouncedCapabilities & { answer?: Promise<DiscoInfo> }>(MAX_ENTITIES);
      const verified = new BoundedMap<string, DiscoInfo>(MAX_ANSWERS);
      const read = (parent: Element): AnnouncedCapabilities | undefined => {
        for (const method of methods.toReversed()) {
          const found = method.read(parent);
          if (found !== undefined) return found;
        }
        return undefined;
      };
      context.onPresence('every', senders.anyone, (presence, { from: entity, type }) => {
        const key = entity.toString();
        // §8.4: a presence without capabilities changes nothing; servers may strip unchanged ones.
        const current = type === 'available' ? read(presence) : undefined;
        if (type === 'unavailable' || type === 'error') announced.delete(key);
        if (current === undefined) return;
        const previous = announced.get(key);
        if (previous?.node === current.node && previous.key === current.key) return;
        announced.set(key, current);
        events.emit('changed', { entity });
      });
      // At the start of a session everybody who is online announces again.
      context.onBound(() => announced.clear());

      /** §6.3: the server announces its capabilities in its stream features. */
      const ofServer = (entity: Jid): AnnouncedCapabilities | undefined => {
        const offers = context.streamFeatures();
        return offers === undefined || entity.toString() !== context.account.domainpart ? undefined : read(offers);
      };
      const queryAnnounced = async (entity: Jid, known: AnnouncedCapabilities): Promise<DiscoInfo> => {
        const { node, key } = known;
        const query = await disco.query(entity, { node });
        const info = readDiscoInfo(query);
        // An answer without the announced hash counts for this entity only (§5.4).
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
        const request = (entry.answer ??= queryAnnounced(entity, known));
        try {
          return await request;
        } catch (error) {
          // The next call queries again.
          if (entry.answer === request) delete entry.answer;
          throw error;
        }
      };

      return {
        events,
        of,
        addMethod(method) {
          methods.push(method);
          refreshSoon();
        },
        async supports(entity, feature) {
          return (await of(entity)).features.has(feature);
        },
      };
    },
  });
}

function verificationStringMethod(software: string): CapabilitiesMethod {
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
    async generate(query) {
      // §7.1: every implementation supports SHA-1.
      const ver = await hashOf('sha-1', query);
      if (ver === undefined) return undefined;
      return { payload: writeCapabilities({ hash: 'sha-1', node: software, ver }), node: `${software}#${ver}` };
    },
  };
}

/** The size of an element in characters. */
function lengthOf(element: Element): number {
  const attributes = element.attributes.reduce((sum, { length }) => sum + length, 0);
  return element.nodes.reduce(
    (sum, node) => sum + (typeof node === 'string' ? node.length : lengthOf(node)),
    element.name.length + attributes,
  );
}

/**
 * The plugin for this library. Its node is a URI that must be unique and never change (§4). It need not resolve, and a web address could
 * belong to somebody else one day.
 */
export const entityCapabilities = entityCapabilitiesWith('urn:uuid:5f4c8a52-8f0e-4c1b-9d6a-0e7b1d3f2a94');
