/** Where the account's own files are. Without a connection. */
import t from 'tap';
import { uploadOriginOf } from '../../../../src/agent/channel/inbound/upload-origin.js';
import type { Client } from '../../../../src/xmpp-core/client.js';
import { XmppError } from '../../../../src/xmpp-core/errors.js';

/** A client of which only the slots of the upload service are used. */
function clientWith(slot: () => Promise<unknown>): Client {
  return { get: () => ({ slot }) } as unknown as Client;
}

// [promise-media-hosts]
t.test('the upload service is asked for a slot once, also when it gives none', async (t) => {
  let requests = 0;
  const found = uploadOriginOf(
    clientWith(async () => {
      requests += 1;
      return { getUrl: 'https://files.example.org:5281/slot/moltis.txt' };
    }),
  );
  t.same([await found(), await found()], ['https://files.example.org:5281', 'https://files.example.org:5281']);
  t.equal(requests, 1);
  const missing = uploadOriginOf(
    clientWith(async () => {
      requests += 1;
      throw new XmppError('there is no upload service');
    }),
  );
  t.same([await missing(), await missing()], [undefined, undefined]);
  t.equal(requests, 2);
});
