/**
 * XEP-0066 Out of Band Data, 1.5 (Stable). https://xmpp.org/extensions/xep-0066.html
 *
 * Links in a message (§3), which is how files are shared, and the older request to fetch a file (§2), which is refused until the
 * application sets a handler.
 *
 * Left out: stream initiation (§6), which is not used in practice.
 */
import { StanzaError } from '../xmpp-core/errors.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, senders } from '../xmpp-core/plugin.js';
import type { IqRequest } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';

/** The namespace of links in messages. */
export const NS_OOB = 'jabber:x:oob';
/** The namespace of requests to fetch a file. */
export const NS_OOB_REQUEST = 'jabber:iq:oob';

/** A link. It may have any scheme, and any sender may have written it. */
export interface OutOfBandData {
  readonly url: string;
  readonly description?: string;
}

/** Reads the links in a message. */
export function readOutOfBandData(message: Element): OutOfBandData[] {
  return message.children('x', NS_OOB).flatMap((data) => readData(data) ?? []);
}

/** Writes a link for a message. */
export function writeOutOfBandData(data: OutOfBandData): Element {
  return el('x', NS_OOB, {}, ...writeData(data, NS_OOB));
}

/** Announces support for links in messages. */
export const outOfBandData = definePlugin({
  name: 'out-of-band-data',
  xep: 66,
  features: [NS_OOB],
  setup: () => undefined,
});

/** Fetches an offered file completely (§2). An error is answered with `item-not-found`; a `StanzaError` is sent as it is. */
export type FetchHandler = (data: OutOfBandData, request: IqRequest) => Promise<void>;

/** Requests to fetch a file. They are refused until `setFetchHandler` is called. */
export const outOfBandRequests = definePlugin({
  name: 'out-of-band-requests',
  xep: 66,
  features: [NS_OOB_REQUEST],
  setup(context) {
    let handler: FetchHandler = () => Promise.reject(StanzaError.of('not-acceptable'));

    context.onIq({ type: 'set', ns: NS_OOB_REQUEST, name: 'query' }, senders.anyone, async (query, request) => {
      const data = readData(query);
      if (data === undefined) throw StanzaError.of('bad-request');
      try {
        await handler(data, request);
      } catch (error) {
        throw error instanceof StanzaError ? error : StanzaError.of('item-not-found');
      }
      return undefined;
    });

    return {
      /** Sets the handler of such requests. It has to judge whether to trust the sender and the URL. */
      setFetchHandler(newHandler: FetchHandler): void {
        handler = newHandler;
      },
      /**
       * Asks a client to fetch a file, and waits until it has.
       * @throws StanzaError `item-not-found` if it failed, `not-acceptable` if it refused; TimeoutError; the signal's reason
       */
      async offer(
        to: Jid | string,
        data: OutOfBandData,
        options: { timeoutMs?: number; signal?: AbortSignal } = {},
      ): Promise<void> {
        const payload = el('query', NS_OOB_REQUEST, {}, ...writeData(data, NS_OOB_REQUEST));
        await context.iq({ to, type: 'set', payload, ...options });
      },
    };
  },
});

function readData(parent: Element): OutOfBandData | undefined {
  const url = parent.childText('url')?.trim();
  const description = parent.childText('desc');
  if (url === undefined || url === '') return undefined;
  return description === undefined ? { url } : { url, description };
}

function writeData({ url, description }: OutOfBandData, ns: string): (Element | undefined)[] {
  return [el('url', ns, {}, url), description === undefined ? undefined : el('desc', ns, {}, description)];
}
