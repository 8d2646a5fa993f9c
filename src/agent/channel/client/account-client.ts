/** The XMPP client of an account: its plugins, and its options from the configuration. */
import { createClient, type Client } from '../../../xmpp-core/client.js';
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import { roster } from '../../../xmpp-core/im/roster.js';
import { subscriptions } from '../../../xmpp-core/im/subscriptions.js';
import type { Storage } from '../../../xmpp-core/storage.js';
import { chatPlugins } from '../../../xeps/chat-plugins.js';
import { muc } from '../../../xeps/xep-0045-muc/index.js';
import { adHocCommands } from '../../../xeps/xep-0050-ad-hoc-commands.js';
import { vcard } from '../../../xeps/xep-0054-vcard-temp.js';
import { userAvatar } from '../../../xeps/xep-0084-user-avatar.js';
import { softwareVersion } from '../../../xeps/xep-0092-software-version.js';
import { entityCapabilities } from '../../../xeps/xep-0115-entity-capabilities.js';
import { vcardAvatars } from '../../../xeps/xep-0153-vcard-avatars.js';
import { entityTime } from '../../../xeps/xep-0202-entity-time.js';
import { bind2When } from '../../../xeps/xep-0386-bind2.js';
import { sasl2With } from '../../../xeps/xep-0388-sasl2.js';
import { bookmarks } from '../../../xeps/xep-0402-bookmarks.js';
import type { AccountConfig } from '../../config/config.js';
import { identities } from '../places/identities.js';
import { ownMessages } from '../places/own-messages.js';
import { archiveReadSince } from './archive-state.js';

/** The name of the program, for servers and for software version requests. */
export const SOFTWARE = 'moltis-xmpp';

/**
 * Makes the client; nothing happens before it is started.
 * @param answers whether a requester may learn that the bot is online; occupants of its rooms see it anyway
 */
export function accountClient(config: AccountConfig, storage: Storage, answers: (requester: Jid) => boolean): Client {
  const client: Client = createClient({
    jid: config.jid,
    password: config.password.reveal(),
    resource: config.resource,
    answers: (requester) => client.get(muc).rooms.has(requester.bare.toString()) || answers(requester),
    plugins: [
      // First, so that other plugins find it with its name set.
      sasl2With({ software: SOFTWARE }),
      // Only with an archive to read: after Bind 2 a server may drop the messages it kept for an offline client (XEP-0386 §3.2).
      bind2When(async () => (await archiveReadSince(storage, config.jid)) !== undefined),
      ...chatPlugins,
      identities,
      ownMessages,
      roster,
      subscriptions,
      entityCapabilities,
      softwareVersion,
      entityTime,
      bookmarks,
      adHocCommands,
      vcard,
      userAvatar,
      vcardAvatars,
    ],
    storage,
    ...(config.server === undefined ? {} : { server: { ...config.server, directTls: config.directTls } }),
    ...(config.websocket === undefined ? {} : { websocket: config.websocket }),
    ...(config.ca === undefined ? {} : { ca: config.ca }),
  });
  return client;
}
