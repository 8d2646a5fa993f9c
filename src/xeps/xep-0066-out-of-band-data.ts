/**
 * XEP-0066 Out of Band Data, 1.5. https://xmpp.org/extensions/xep-0066.html
 * The `jabber:x:oob` payload of messages (§3), which is how files are shared. The IQ method (§2) is left out: nobody uses it.
 */
import { el, type Element } from '../xmpp-core/xml/element.js';

export const NS_OOB = 'jabber:x:oob';

/** A link that comes with a message. */
export interface OutOfBandData {
  readonly url: string;
  readonly description?: string;
}

export function readOutOfBandData(message: Element): OutOfBandData[] {
  return message.children('x', NS_OOB).flatMap((data) => {
    const url = data.childText('url')?.trim();
    const description = data.childText('desc');
    if (url === undefined || url === '') return [];
    return [description === undefined ? { url } : { url, description }];
  });
}

export function writeOutOfBandData({ url, description }: OutOfBandData): Element {
  const desc = description === undefined ? undefined : el('desc', NS_OOB, {}, description);
  return el('x', NS_OOB, {}, el('url', NS_OOB, {}, url), desc);
}
