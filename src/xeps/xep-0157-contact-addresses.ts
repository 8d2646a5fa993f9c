/**
 * XEP-0157 Contact Addresses for XMPP Services, 1.1.1 (Active). https://xmpp.org/extensions/xep-0157.html
 *
 * The addresses to contact about a server, from its extended service discovery information.
 */
import type { DiscoInfo } from './xep-0030-service-discovery.js';
import { extendedInfo } from './xep-0128-service-discovery-extensions.js';

const FORM_TYPE = 'http://jabber.org/network/serverinfo';
const SUFFIX = '-addresses';

/** URIs (`mailto:`, `xmpp:`, `https:`) by purpose: `abuse`, `admin`, `feedback`, `sales`, `security`, `status`, `support`. */
export type ContactAddresses = ReadonlyMap<string, readonly string[]>;

/** Reads the addresses that a server announces. Values that are not URIs are left out, since addresses may be shown as links. */
export function contactAddresses(server: Pick<DiscoInfo, 'forms'>): ContactAddresses {
  const addresses = new Map<string, readonly string[]>();
  for (const { name = '', values } of extendedInfo(server, FORM_TYPE)?.fields ?? []) {
    const uris = values.filter((value) => URL.canParse(value));
    if (name.endsWith(SUFFIX) && uris.length > 0) addresses.set(name.slice(0, -SUFFIX.length), uris);
  }
  return addresses;
}
