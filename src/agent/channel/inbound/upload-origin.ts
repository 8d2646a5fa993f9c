/** Where the account's own upload service keeps its files: known from a slot that it gives, for its address says nothing of its web server. */
import { httpUpload } from '../../../xeps/xep-0363-http-file-upload.js';
import type { Client } from '../../../xmpp-core/client.js';

/** For the smallest file there is; nothing is ever put there. */
const PROBE = { filename: 'moltis.txt', size: 1, contentType: 'text/plain' };
/** Between two attempts to learn it: who sends links must not be able to make the bot ask again and again. */
const AGAIN_MS = 60_000;

/** Finds the origin, such as `https://files.example.org:5281`; once it is known it is not asked for again. */
export function uploadOriginOf(client: Client): (signal: AbortSignal) => Promise<string | undefined> {
  let known: string | undefined;
  let askedAt = -Infinity;
  let asking: Promise<string | undefined> = Promise.resolve(undefined);
  return () => {
    if (known !== undefined || performance.now() - askedAt < AGAIN_MS) return asking;
    askedAt = performance.now();
    asking = client
      .get(httpUpload)
      .slot(PROBE)
      .then(({ getUrl }) => (known = new URL(getUrl).origin))
      // A server without uploads has no such origin.
      .catch(() => undefined);
    return asking;
  };
}
