/** The traffic of a busy client, made up but shaped like the real thing: the same bytes in every run. */

const WORDS = (
  'the of and that have with this will your from they know want been good much some time very when come here just like long make many ' +
  "more only over such take than them well were don't it's I'm you're"
).split(' ');
const CYRILLIC = 'привет как дела сегодня хорошо спасибо увидимся завтра на встрече'.split(' ');

export const HEADER =
  "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' id='c8a1' from='example.com' version='1.0' xml:lang='en'>";

function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.floor(((state >>> 0) / 2 ** 32) * below);
  };
}

/** Returns stanzas, some `bytes` of them, of the kinds named (all by default). */
export function stanzas(bytes, kinds = Object.keys(MIX), seed = 1) {
  const random = numbers(seed);
  const wheel = kinds.flatMap((kind) => Array.from({ length: MIX[kind] }, () => kind));
  const made = [];
  for (let length = 0; length < bytes;) {
    const stanza = MAKERS[wheel[random(wheel.length)]](random);
    made.push(stanza);
    length += Buffer.byteLength(stanza);
  }
  return made;
}

function text(random, words) {
  const from = random(12) === 0 ? CYRILLIC : WORDS;
  const chosen = Array.from({ length: words }, () => from[random(from.length)]);
  if (random(12) === 0) chosen.push('&lt;3 &amp; so on');
  if (random(25) === 0) chosen.push('🙂');
  return chosen.join(' ');
}

const id = (random) => `${random(2 ** 30).toString(36)}-${random(2 ** 30).toString(36)}`;
const person = (random) => `${WORDS[random(30)]}@example.net`;

const MAKERS = {
  chat: (r) =>
    `<message from='${person(r)}/phone.${r(99)}' to='bot@example.com/home' type='chat' id='${id(r)}'><body>${text(r, 4 + r(20))}</body><active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/><origin-id xmlns='urn:xmpp:sid:0' id='${id(r)}'/><stanza-id xmlns='urn:xmpp:sid:0' by='bot@example.com' id='${id(r)}'/></message>`,
  state: (r) =>
    `<message from='${person(r)}/phone' to='bot@example.com/home' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/><no-store xmlns='urn:xmpp:hints'/></message>`,
  room: (r) =>
    `<message from='room@chat.example.org/${WORDS[r(30)]}' to='bot@example.com/home' type='groupchat' id='${id(r)}'><body>${text(r, 3 + r(25))}</body><stanza-id xmlns='urn:xmpp:sid:0' by='room@chat.example.org' id='${id(r)}'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='${id(r)}${id(r)}'/><origin-id xmlns='urn:xmpp:sid:0' id='${id(r)}'/></message>`,
  presence: (r) =>
    `<presence from='room@chat.example.org/${WORDS[r(30)]}' to='bot@example.com/home'><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='https://example.net/client' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/><x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='member' jid='${person(r)}/x' role='participant'/></x></presence>`,
  archive: (r) =>
    `<message to='bot@example.com/home'><result xmlns='urn:xmpp:mam:2' queryid='f27' id='${id(r)}'><forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='2026-07-10T23:08:25Z'/><message xmlns='jabber:client' to='bot@example.com' from='${person(r)}/x' type='chat' id='${id(r)}'><body>${text(r, 4 + r(20))}</body><origin-id xmlns='urn:xmpp:sid:0' id='${id(r)}'/></message></forwarded></result></message>`,
  long: (r) =>
    `<message from='${person(r)}/phone' to='bot@example.com/home' type='chat' id='${id(r)}'><body>${text(r, 500 + r(500))}</body></message>`,
  disco: (r) =>
    `<iq type='result' id='${id(r)}' from='example.com' to='bot@example.com/home'><query xmlns='http://jabber.org/protocol/disco#info'><identity category='server' type='im' name='Prosody'/>${Array.from({ length: 20 }, () => `<feature var='urn:xmpp:${WORDS[r(30)]}:${r(3)}'/>`).join('')}</query></iq>`,
  roster: (r) =>
    `<iq type='result' id='${id(r)}' to='bot@example.com/home'><query xmlns='jabber:iq:roster' ver='${id(r)}'>${Array.from({ length: 200 }, () => `<item jid='${person(r)}' name='${WORDS[r(30)]} ${WORDS[r(30)]}' subscription='both'><group>Friends</group></item>`).join('')}</query></iq>`,
  pubsub: (r) =>
    `<message from='pubsub.example.com' to='bot@example.com'><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='urn:xmpp:avatar:metadata'><item id='${id(r)}'><metadata xmlns='urn:xmpp:avatar:metadata'><info bytes='12345' height='64' id='${id(r)}' type='image/png' width='64'/></metadata></item></items></event></message>`,
};

/** How often each kind comes, in hundredths. */
const MIX = { chat: 28, state: 14, room: 24, presence: 12, archive: 12, long: 2, disco: 3, roster: 1, pubsub: 4 };

export const KINDS = Object.keys(MIX);

/** The bytes in pieces, as a socket hands them over. */
export function chunks(bytes, size) {
  const pieces = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}
