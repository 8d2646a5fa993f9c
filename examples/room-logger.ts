/** Joins a room and prints what happens there, beginning with its last twenty messages. */
import { createClient, muc } from 'moltis-xmpp';

const { JID = 'logger@example.org', PASSWORD, ROOM = 'team@conference.example.org' } = process.env;
const client = createClient({ jid: JID, password: PASSWORD });
const rooms = client.get(muc);

rooms.events.on('subject', ({ subject }) => console.log(`The subject is: ${subject}`));
rooms.events.on('occupantJoined', ({ occupant }) => console.log(`${occupant.nick} joined`));
rooms.events.on('occupantLeft', ({ occupant }) => console.log(`${occupant.nick} left`));
rooms.events.on('message', ({ nick, message, delayed = new Date() }) => {
  if (message.body !== undefined) console.log(`${delayed.toISOString()} <${nick}> ${message.body}`);
});

await client.start();
const room = await rooms.join(ROOM, { nick: 'logger', history: { maxStanzas: 20 } });
process.once('SIGINT', () => void client.stop());
console.log(`In ${room.jid} with ${[...room.occupants.keys()].join(', ')}`);
