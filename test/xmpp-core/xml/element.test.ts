import t from 'tap';
import { el } from '../../../src/xmpp-core/xml/element.js';

t.test('an element answers for its attributes, children and text', async (t) => {
  const message = el(
    'message',
    'jabber:client',
    { to: 'a@b', 'xml:lang': 'en' },
    el('body', 'jabber:client', {}, 'hi'),
  );
  t.equal(message.attr('to'), 'a@b');
  t.equal(message.childText('body'), 'hi');
});
