import t from 'tap';
import { Jid, JidError } from '../../../src/xmpp-core/jid/jid.js';

t.test('an address comes apart at the first slash, then at the first at sign', async (t) => {
  const jid = Jid.parse('evil@x/@trusted.org');
  t.equal(jid.localpart, 'evil');
  t.equal(jid.domainpart, 'x');
  t.equal(jid.resource, '@trusted.org');
  t.equal(jid.bare.toString(), 'evil@x');
  t.throws(() => Jid.parse('@x'), JidError);
});
