/** The web origin of the account's own upload service (XEP-0363). It is known only from a slot: the service's JID does not name its web server. */
import type { Client } from '../../../xmpp-core/client.js';
import { XmppError } from '../../../xmpp-core/errors.js';
import { httpUpload } from '../../../xeps/xep-0363-http-file-upload.js';

/** The request for a slot of one byte; nothing is uploaded to it. */
const PROBE = { filename: 'moltis.txt', size: 1, contentType: 'text/plain' };
/** The shortest time between two attempts: senders of links must not be able to make the bot request a slot for each one. */
const RETRY_MS = 60_000;

/** Finds the origin, such as `https://files.example.org:5281`, and remembers it. It is `undefined` where there are no uploads. */
export function uploadOriginOf(client: Client): () => Promise<string | undefined> {
  let known: string | undefined;
  let askedAt = -Infinity;
  let asking: Promise<string | undefined> = Promise.resolve(undefined);
  const ask = async (): Promise<string | undefined> => {
    try {
      const { getUrl } = await client.get(httpUpload).slot(PROBE);
      known = new URL(getUrl).origin;
      return known;
    } catch (error) {
      // A server without uploads has no such origin. A link is then fetched under the rules for any other link.
      if (error instanceof XmppError) return undefined;
      throw error;
    }
  };
  return () => {
    if (known !== undefined || performance.now() - askedAt < RETRY_MS) return asking;
    askedAt = performance.now();
    asking = ask();
    return asking;
  };
}
