/**
 * XEP-0066 Out of Band Data, 1.5 (Stable). https://xmpp.org/extensions/xep-0066.html
 *
 * Links that come with a message (§3), which is how files are shared, and the older request to fetch a file (§2), which nobody is given unless
 * `outOfBandRequests` is told how.
 *
 * Left out: stream initiation (§6), which is not used in practice.
 */
import { StanzaError } from '../xmpp-core/errors.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, from } from '../xmpp-core/plugin.js';
import type { IqRequest } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';

export const NS_OOB = 'jabber:x:oob';
export const NS_OOB_REQUEST = 'jabber:iq:oob';

/** A link. Of any scheme, and anybody may have written it. */
export interface OutOfBandData {
  readonly url: string;
  readonly description?: string;
}

export function readOutOfBandData(message: Element): OutOfBandData[] {
  return message.children('x', NS_OOB).flatMap((data) => readData(data) ?? []);
}

export function writeOutOfBandData(data: OutOfBandData): Element {
  return el('x', NS_OOB, {}, ...writeData(data, NS_OOB));
}

/** Announces that links in messages are understood. */
export const outOfBandData = definePlugin({
  name: 'out-of-band-data',
  xep: 66,
  features: [NS_OOB],
  setup: () => undefined,
});

/** Fetches what somebody offers, to its end (§2). What it throws tells them that it could not be had; `StanzaError` tells it in its own way. */
export type FetchOffered = (data: OutOfBandData, request: IqRequest) => Promise<void>;

/** Requests to fetch a file. Only for clients that mean to: until they say how, each is refused. */
export const outOfBandRequests = definePlugin({
  name: 'out-of-band-requests',
  xep: 66,
  features: [NS_OOB_REQUEST],
  setup(context) {
    let fetchOffered: FetchOffered = () => Promise.reject(StanzaError.of('not-acceptable'));

    context.onIq({ type: 'set', ns: NS_OOB_REQUEST, name: 'query' }, from.anyone, async (query, request) => {
      const data = readData(query);
      if (data === undefined) throw StanzaError.of('bad-request');
      try {
        await fetchOffered(data, request);
      } catch (error) {
        throw error instanceof StanzaError ? error : StanzaError.of('item-not-found');
      }
      return undefined;
    });

    return {
      /** Says how what others offer is fetched. Whom to trust, and which URLs, is for it to judge. */
      fetchWith(fetch: FetchOffered): void {
        fetchOffered = fetch;
      },
      /**
       * Asks one client of somebody to fetch a file, and waits until it has.
       * @throws StanzaError `item-not-found` when it could not, `not-acceptable` when it would not; TimeoutError; the signal's reason
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
