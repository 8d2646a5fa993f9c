/**
 * XEP-0157 Contact Addresses for XMPP Services, 1.1.1 (Active). https://xmpp.org/extensions/xep-0157.html
 *
 * Whom to write to about a server: read from what it says of itself through service discovery.
 */
import type { DiscoInfo } from './xep-0030-service-discovery.js';
import { extendedInfo } from './xep-0128-service-discovery-extensions.js';

const FORM_TYPE = 'http://jabber.org/network/serverinfo';
const SUFFIX = '-addresses';

/** URIs (`mailto:`, `xmpp:`, `https:`) by what they are for: `abuse`, `admin`, `feedback`, `sales`, `security`, `status`, `support`. */
export type ContactAddresses = ReadonlyMap<string, readonly string[]>;

/** The addresses that a server tells of; what is no URI is left out, for it is the server's word and may become a link. */
export function contactAddresses(server: Pick<DiscoInfo, 'forms'>): ContactAddresses {
  const addresses = new Map<string, readonly string[]>();
  for (const { name = '', values } of extendedInfo(server, FORM_TYPE)?.fields ?? []) {
    const uris = values.filter((value) => URL.canParse(value));
    if (name.endsWith(SUFFIX) && uris.length > 0) addresses.set(name.slice(0, -SUFFIX.length), uris);
  }
  return addresses;
}
