/**
 * XEP-0172 User Nickname, 1.1 (Stable). https://xmpp.org/extensions/xep-0172.html
 *
 * The nickname that a user proposes: sent with a subscription request or a first message, or published (XEP-0163). It proves nothing:
 * anybody can choose any name.
 */
import type { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { pepUpdates, personalEventing } from './xep-0163-personal-eventing.js';

/** The namespace of nicknames, and the name of their node. */
export const NS_NICKNAME = 'http://jabber.org/protocol/nick';

/** Reads the nickname in a stanza or an item, without surrounding white space; `undefined` if there is none. */
export function readNickname(parent: Element): string | undefined {
  const nick = parent.is('nick', NS_NICKNAME) ? parent : parent.child('nick', NS_NICKNAME);
  const text = nick?.text.trim();
  return text === '' ? undefined : text;
}

/** Writes a nickname. */
export function writeNickname(nickname: string): Element {
  return el('nick', NS_NICKNAME, {}, nickname);
}

/** Published nicknames: `client.get(userNickname)` publishes ours and reads those of others. */
export const userNickname = definePlugin({
  name: 'user-nickname',
  xep: 172,
  requires: [personalEventing],
  setup(context) {
    const pep = context.get(personalEventing);
    return {
      /** Publishes our nickname. Our contacts can read it, unless the node is configured otherwise. @throws StanzaError, TimeoutError */
      async publish(nickname: string): Promise<void> {
        await pep.own.publish(NS_NICKNAME, writeNickname(nickname), { id: 'current' });
      },
      /** Reads the nickname of an account; `undefined` if it has none or hides it from us. @throws StanzaError, TimeoutError */
      async read(account: Jid | string): Promise<string | undefined> {
        const [item] = await pep.read(account, NS_NICKNAME);
        return item?.payload === undefined ? undefined : readNickname(item.payload);
      },
    };
  },
});

/** Reports changes of the nicknames of contacts. */
export const nicknameUpdates = pepUpdates({
  name: 'nickname-updates',
  xep: 172,
  node: NS_NICKNAME,
  read: readNickname,
});
