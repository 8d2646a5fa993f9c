/**
 * XEP-0103 URL Address Information, 0.4.1 (Deferred). https://xmpp.org/extensions/xep-0103.html
 *
 * A URL with what is needed to use it, as sources of shared files (XEP-0447) give it.
 *
 * Left out: stream initiation (§4), which nobody uses, and the headers of XEP-0104: strangers must not control what we send to third parties.
 */
import { el, type Element } from '../xmpp-core/xml/element.js';

export const NS_URL_DATA = 'http://jabber.org/protocol/url-data';

/** @returns the URLs among an element's children */
export function readUrlData(parent: Element): string[] {
  return parent.children('url-data', NS_URL_DATA).flatMap((data) => {
    const url = data.attr('target')?.trim();
    return url === undefined || !URL.canParse(url) ? [] : [url];
  });
}

export function writeUrlData(url: string): Element {
  return el('url-data', NS_URL_DATA, { target: url });
}
