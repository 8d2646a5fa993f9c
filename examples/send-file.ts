/** Sends a file to a contact or an address: node send-file.js you@example.org photo.jpg */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { createClient } from 'moltis-xmpp';

const { JID = 'me@example.org', PASSWORD } = process.env;
const [to = 'you@example.org', path = 'photo.jpg'] = process.argv.slice(2);
const client = createClient({ jid: JID, password: PASSWORD });
const data = await readFile(path);

await client.start();
try {
  const sent = await client.sendFile(
    to,
    { name: basename(path), data },
    {
      onProgress: (bytes) => console.log(`${bytes} of ${data.byteLength} bytes`),
      signal: AbortSignal.timeout(60_000),
    },
  );
  console.log(`Sent as ${sent.body}`);
} finally {
  await client.stop();
}
