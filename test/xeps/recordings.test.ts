/** What two servers said, or passed on, read by the modules that have nothing else to be recorded: `fixtures/xeps`. */
import t from 'tap';
import {
  childForm,
  contactAddresses,
  fieldValue,
  formType,
  readChatState,
  readDirectInvitation,
  readDiscoInfo,
  readHashes,
  readHints,
  readOccupantId,
  readOutOfBandData,
  readReferences,
  readRegistrationQuestion,
  readSharedFiles,
  readSlot,
  readVCard,
  isUnstyled,
  NS_DIRECT_INVITATION,
  NS_DISCO_INFO,
  NS_HTTP_UPLOAD,
  NS_PING,
  NS_PUBSUB_OWNER,
  NS_REGISTER,
  NS_VCARD,
  selfPingVerdict,
} from '../../src/xeps/index.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';
import { readStanzaError } from '../../src/xmpp-core/stanza/stanza-error.js';
import type { Element } from '../../src/xmpp-core/xml/element.js';
import { recorded } from '../support/fixtures.js';

const SERVERS = ['Prosody', 'ejabberd'] as const;

/** The recording of one server; those of messages say that they were passed on. */
function by(server: (typeof SERVERS)[number], xep: number, name: string): Element {
  const stanzas = recorded(xep);
  const stanza = stanzas.get(`${name}, by ${server}`) ?? stanzas.get(`${name}, passed on by ${server}`);
  if (stanza === undefined) throw new Error(`there is no recording of '${name}' by ${server}`);
  return stanza;
}

function payload(stanza: Element, name: string, ns: string): Element {
  const found = stanza.child(name, ns);
  if (found === undefined) throw new Error(`<${stanza.name}/> has no <${name}/>`);
  return found;
}

for (const server of SERVERS) {
  // [XEP-0066] [XEP-0085 §2] [XEP-0249 §2] [XEP-0334 §4] [XEP-0372] [XEP-0393 §6] [XEP-0446] [XEP-0447] [XEP-0300]
  t.test(`what messages carry is read as it was sent, when ${server} has passed it on`, async (t) => {
    const message = (xep: number, name: string): Element => by(server, xep, name);
    t.match(readOutOfBandData(message(66, 'a link')), [{ url: 'https://example.org/tea.txt', description: 'tea' }]);
    t.equal(readChatState(message(85, 'active')), 'active');
    t.equal(readChatState(message(85, 'composing')), 'composing');
    const invitation = message(249, 'a direct invitation');
    const by249 = Jid.parse(invitation.attr('from') ?? '');
    const invited = readDirectInvitation(payload(invitation, 'x', NS_DIRECT_INVITATION), by249);
    t.match(invited, { room: Jid.parse('tea@conference.example.org'), reason: 'tea' });
    t.strictSame([...readHints(message(334, 'a hint'))], ['no-permanent-store']);
    const element = message(372, 'a mention');
    t.match(readReferences({ element, body: element.childText('body') }), [
      { type: 'mention', uri: /^xmpp:\w+@example\.org$/ },
    ]);
    t.ok(isUnstyled(message(393, 'an unstyled message')));
    const [file] = readSharedFiles(message(447, 'a shared file'));
    t.match(file, { disposition: 'inline', file: { name: 'tea.png', mediaType: 'image/png', size: 3 } });
    t.strictSame(file?.urls, ['https://example.org/tea.png']);
    t.equal(file?.file.hashes?.get('sha-256'), 'rd/lsaKzMbU1x5NfmPmX+P3PHnjhjnGMz5HOWeyRVX0=');
    t.equal(readHashes(message(66, 'a link')).size, 0);
  });

  // [XEP-0077 §3.1] [XEP-0128] [XEP-0157] [XEP-0199 §4] [XEP-0223 §4] [XEP-0363 §4, §5]
  t.test(`what ${server} says of itself, and answers, is read as it is meant`, async (t) => {
    const answer = (xep: number, name: string): Element => by(server, xep, name);
    t.strictSame(answer(199, 'an answer to a ping').children(), [], 'an empty result');
    t.ok(answer(199, 'a ping').child('ping', NS_PING));
    const info = readDiscoInfo(payload(answer(157, 'what a server says of itself'), 'query', NS_DISCO_INFO));
    t.match(info.identities, [{ category: String, type: String }]);
    t.ok(contactAddresses(info).size > 0, 'it names whom to write to');
    const question = readRegistrationQuestion(
      payload(answer(77, 'the question of a registration'), 'query', NS_REGISTER),
    );
    t.ok(question, 'asked by somebody who is registered');
    const configured = payload(answer(223, 'how a private node is configured'), 'pubsub', NS_PUBSUB_OWNER);
    const form = childForm(configured.children()[0]);
    t.equal(formType(form), 'http://jabber.org/protocol/pubsub#node_config');
    t.equal(fieldValue(form, 'pubsub#access_model'), 'whitelist');
    const service = readDiscoInfo(
      payload(answer(363, 'what an upload service says of itself'), 'query', NS_DISCO_INFO),
    );
    t.ok(service.features.has(NS_HTTP_UPLOAD));
    const slot = readSlot(payload(answer(363, 'a slot'), 'slot', NS_HTTP_UPLOAD));
    t.match(slot, { putUrl: /^https:\/\/upload\.example\.org\//, getUrl: /tea\.txt$/ });
    t.equal(readStanzaError(answer(363, 'a file that is too large')).condition, 'not-acceptable');
  });

  // [XEP-0410 §3.2] [XEP-0421 §3] [XEP-0486 §3]
  t.test(`what rooms of ${server} say of who is there, and of themselves, is read as it is meant`, async (t) => {
    t.equal(by(server, 410, 'who is there').attr('type'), 'result');
    t.equal(selfPingVerdict(readStanzaError(by(server, 410, 'who is not there'))), 'lost');
    t.match(readOccupantId(by(server, 421, 'an occupant')), /^.{20,}$/);
    const card = readVCard(payload(by(server, 486, 'the picture'), 'vCard', NS_VCARD));
    t.match(card.photo, { mediaType: 'image/png' });
    t.equal(card.photo?.bytes.length, 70);
  });
}

// [XEP-0049 §4]
t.test('private XML comes back as it was kept', async (t) => {
  const query = payload(by('ejabberd', 49, 'private XML'), 'query', 'jabber:iq:private');
  t.equal(query.child('note', 'urn:example:note')?.text, 'kept');
});
