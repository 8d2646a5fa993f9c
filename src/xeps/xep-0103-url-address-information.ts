/**
 * XEP-0103 URL Address Information, 0.4.1 (Deferred). https://xmpp.org/extensions/xep-0103.html
 *
 * A URL to download data from, as sources of shared files (XEP-0447) contain it.
 *
 * Left out: stream initiation (§4), which nobody uses, and the headers of XEP-0104: strangers must not control what we send to third parties.
 */
import { el, type Element } from '../xmpp-core/xml/element.js';

/** The namespace of URL data. */
export const NS_URL_DATA = 'http://jabber.org/protocol/url-data';

/** Reads the URLs among an element's children; invalid ones are left out. */
export function readUrlData(parent: Element): string[] {
  return parent.children('url-data', NS_URL_DATA).flatMap((data) => {
    const url = data.attr('target')?.trim();
    return url === undefined || !URL.canParse(url) ? [] : [url];
  });
}

/** Writes a URL. */
export function writeUrlData(url: string): Element {
  return el('url-data', NS_URL_DATA, { target: url });
}
