/**
 * XEP-0390 Entity Capabilities 2.0, 0.3.2 (Deferred). https://xmpp.org/extensions/xep-0390.html
 *
 * Like XEP-0115, but different answers never have the same hash input. Announced in addition to it, and preferred if an entity announces
 * both.
 *
 * Left out: announcing capabilities to the server before the initial presence (§5.4); languages that a response inherits
 * from outside its `<query/>`: such a response is not cached.
 */
import { definePlugin, type Plugin } from '../xmpp-core/plugin.js';
import { el, NS_XML, type Element } from '../xmpp-core/xml/element.js';
import { formType, readDataForm } from './xep-0004-data-forms.js';
import { NS_DISCO_INFO } from './xep-0030-service-discovery.js';
import { byOctets, entityCapabilities, type CapabilitiesMethod } from './xep-0115-entity-capabilities.js';
import { digestBase64, readHashes, writeHashes, type Hashes } from './xep-0300-cryptographic-hashes.js';

/** The namespace of these capabilities. */
export const NS_CAPS_2 = 'urn:xmpp:caps';

/** The separators of the input, from the outermost to the innermost (§4.1): control characters that XML cannot contain. */
const [END_1, END_2, END_3, END_4] = ['\u001C', '\u001D', '\u001E', '\u001F'] as const;

/** The function that we announce, and those that we verify, strongest first. */
const ANNOUNCED = 'sha-256';
const VERIFIED = ['sha-512', 'sha-384', ANNOUNCED];
/** Longer than any hash as base64. */
const MAX_LENGTH = 128;

/** Reads the hashes in a presence, as base64 by function; `undefined` if there is no such element. */
export function readCapabilityHashes(presence: Element): Hashes | undefined {
  const c = presence.child('c', NS_CAPS_2);
  return c === undefined ? undefined : readHashes(c);
}

/** Writes the hashes. */
export function writeCapabilityHashes(hashes: Hashes): Element {
  return el('c', NS_CAPS_2, {}, ...writeHashes(hashes));
}

/** The node to query for a hash (§4.3). */
export function capabilityHashNode(algorithm: string, hash: string): string {
  return `${NS_CAPS_2}#${algorithm}.${hash}`;
}

/**
 * The input of the hash (§4.1).
 * @param query an answer to a disco#info query, unparsed
 * @returns `undefined` if it contains an element that the input cannot represent
 */
export function capabilitiesInput(query: Element): string | undefined {
  const inherited = query.attr('lang', NS_XML);
  const features: string[] = [];
  const identities: string[] = [];
  const extensions: string[] = [];
  for (const child of query.children()) {
    if (child.is('feature', NS_DISCO_INFO)) {
      features.push(child.attr('var') ?? '');
    } else if (child.is('identity', NS_DISCO_INFO)) {
      const language = child.attr('lang', NS_XML) ?? inherited;
      identities.push(ended([child.attr('category'), child.attr('type'), language, child.attr('name')], END_4));
    } else {
      const extension = extensionInput(child);
      if (extension === undefined) return undefined;
      extensions.push(extension);
    }
  }
  return [
    ended(features.sort(byOctets), END_4),
    ended(identities.sort(byOctets), END_3),
    ended(extensions.sort(byOctets), END_2),
  ]
    .map((part) => part + END_1)
    .join('');
}

/** The input for a form of extended information, which needs a `FORM_TYPE` and must not be a table. */
function extensionInput(x: Element): string | undefined {
  const form = readDataForm(x);
  if (formType(form) === undefined || form?.reported !== undefined || form?.items !== undefined) return undefined;
  const fields = form?.fields.map(
    ({ name = '', values }) => ended([name], END_4) + ended([...values].sort(byOctets), END_4),
  );
  return ended(fields?.sort(byOctets) ?? [], END_3);
}

function ended(parts: readonly (string | undefined)[], end: string): string {
  return parts.map((part = '') => part + end).join('');
}

const method: CapabilitiesMethod = {
  read(parent) {
    const hashes = readCapabilityHashes(parent);
    if (hashes === undefined) return undefined;
    const algorithm = VERIFIED.find((one) => hashes.has(one));
    const hash = algorithm === undefined ? '' : (hashes.get(algorithm) ?? '');
    if (algorithm === undefined || hash === '' || hash.length > MAX_LENGTH) return undefined;
    const node = capabilityHashNode(algorithm, hash);
    return { node, key: node, matches: async (query) => (await hashOf(algorithm, query)) === hash };
  },
  async generate(query) {
    const hash = await hashOf(ANNOUNCED, query);
    if (hash === undefined) return undefined;
    const payload = writeCapabilityHashes(new Map([[ANNOUNCED, hash]]));
    return { payload, node: capabilityHashNode(ANNOUNCED, hash) };
  },
};

async function hashOf(algorithm: string, query: Element): Promise<string | undefined> {
  const input = capabilitiesInput(query);
  return input === undefined ? undefined : digestBase64(algorithm, new TextEncoder().encode(input));
}

/** Has no handle: `entityCapabilities` uses both methods. */
export const entityCapabilities2: Plugin<void> = definePlugin({
  name: 'entity-capabilities-2',
  xep: 390,
  features: [NS_CAPS_2],
  requires: [entityCapabilities],
  setup(context) {
    context.get(entityCapabilities).addMethod(method);
  },
});
