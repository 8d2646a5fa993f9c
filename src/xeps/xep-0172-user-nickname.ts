/**
 * XEP-0172 User Nickname, 1.1 (Stable). https://xmpp.org/extensions/xep-0172.html
 *
 * What somebody wants to be called: said with a request for subscription or a first message, or published (XEP-0163). It is a wish and
 * no identity: anybody can take any name.
 */
import type { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { pepUpdates, personalEventing } from './xep-0163-personal-eventing.js';

export const NS_NICKNAME = 'http://jabber.org/protocol/nick';

/** The name in a stanza or an item, without the space around it; `undefined` when there is none. */
export function readNickname(parent: Element): string | undefined {
  const nick = parent.is('nick', NS_NICKNAME) ? parent : parent.child('nick', NS_NICKNAME);
  const text = nick?.text.trim();
  return text === '' ? undefined : text;
}

export function writeNickname(nickname: string): Element {
  return el('nick', NS_NICKNAME, {}, nickname);
}

export const userNickname = definePlugin({
  name: 'user-nickname',
  xep: 172,
  requires: [personalEventing],
  setup(context) {
    const pep = context.get(personalEventing);
    return {
      /** Says what to call us, to whom the server shows it: our contacts, unless the node is configured. @throws StanzaError, TimeoutError */
      async publish(nickname: string): Promise<void> {
        await pep.own.publish(NS_NICKNAME, writeNickname(nickname), { id: 'current' });
      },
      /** What an account wants to be called; `undefined` when it does not say so, or not to us. @throws StanzaError, TimeoutError */
      async read(account: Jid | string): Promise<string | undefined> {
        const [item] = await pep.read(account, NS_NICKNAME);
        return item?.payload === undefined ? undefined : readNickname(item.payload);
      },
    };
  },
});

/** Hears of the nicknames of contacts as they change. */
export const nicknameUpdates = pepUpdates({
  name: 'nickname-updates',
  xep: 172,
  node: NS_NICKNAME,
  read: readNickname,
});
