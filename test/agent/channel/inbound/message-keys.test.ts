/** Which messages are the same one, whether or not a server gives them ids. */
import t from 'tap';
import type { Content } from '../../../../src/agent/channel/inbound/content.js';
import { keysOf, type MessageKeys } from '../../../../src/agent/channel/inbound/message-keys.js';
import { writeOriginId } from '../../../../src/xeps/xep-0359-stable-ids.js';
import { Jid } from '../../../../src/xmpp-core/jid/jid.js';
import { readMessage, writeMessage } from '../../../../src/xmpp-core/stanza/stanzas.js';

interface Sent {
  readonly from?: string;
  readonly id?: string | undefined;
  readonly originId?: string;
  readonly stanzaId?: string;
  readonly text?: string;
  readonly minute?: number;
}

function keys({ from = 'ann@localhost/phone', id, originId, stanzaId, text = 'yes', minute = 0 }: Sent): MessageKeys {
  const payloads = originId === undefined ? [] : [writeOriginId(originId)];
  const element = writeMessage({ to: 'bot@localhost', type: 'chat', body: text, payloads });
  const message = readMessage({ element, from: Jid.parse(from), to: undefined, id, language: undefined });
  const content: Content = {
    text,
    links: [],
    change: undefined,
    reply: undefined,
    mentions: [],
    encryption: undefined,
  };
  return keysOf({ message, content, at: new Date(Date.UTC(2026, 0, 1, 12, minute)), stanzaId });
}

/** Whether the second is a copy of the first. */
function isCopy(first: Sent, second: Sent): boolean {
  const { key, alias } = keys(first);
  const known = new Set([key, alias]);
  const { key: other, copies } = keys(second);
  return known.has(other) || copies.some((name) => known.has(name));
}

// [pitfall-ids-used-again]
t.test('which messages are copies of each other', async (t) => {
  const cases: readonly (readonly [what: string, one: Sent, other: Sent, same: boolean])[] = [
    ['the same stanza id', { id: '1', stanzaId: 's' }, { id: '1', stanzaId: 's' }, true],
    ['the same stanza id, much later', { id: '1', stanzaId: 's' }, { id: '1', stanzaId: 's', minute: 50 }, true],
    ['another stanza id', { id: '1', stanzaId: 's' }, { id: '1', stanzaId: 'r' }, false],
    ['sent again, with an origin id', { originId: 'o', stanzaId: 's' }, { originId: 'o', stanzaId: 'r' }, true],
    ['one without its stanza id', { id: '1', stanzaId: 's' }, { id: '1' }, true],
    ['none with stanza ids', { id: '1' }, { id: '1' }, true],
    ['none with stanza ids, four minutes later', { id: '1' }, { id: '1', minute: 4 }, true],
    ['none with stanza ids, ten minutes later', { id: '1' }, { id: '1', minute: 10 }, false],
    ['another text', { id: '1' }, { id: '1', text: 'no' }, false],
    ['another text with an origin id', { originId: 'o', stanzaId: 's' }, { originId: 'o', text: 'no' }, false],
    ['another client', { id: '1' }, { id: '1', from: 'ann@localhost/desk' }, false],
    ['another person', { id: '1' }, { id: '1', from: 'bob@localhost/phone' }, false],
    ['another id', { id: '1' }, { id: '2' }, false],
    ['no ids at all', {}, {}, false],
  ];
  for (const [what, one, other, same] of cases) {
    t.equal(isCopy(one, other), same, what);
    t.equal(isCopy(other, one), same, `${what}, the other way round`);
  }
});
