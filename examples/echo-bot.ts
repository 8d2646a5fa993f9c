/** Answers every message with its own text. */
import { createClient } from 'moltis-xmpp';

const { JID = 'echo@example.org', PASSWORD } = process.env;
const client = createClient({ jid: JID, password: PASSWORD });

client.events.on('message', (message) => {
  if (message.body !== undefined) client.reply(message, message.body);
});

await client.start();
process.once('SIGINT', () => void client.stop());
console.log(`Online as ${client.jid}`);
