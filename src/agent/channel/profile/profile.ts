/** What others see of an account: a bot with a name, a version and an avatar. */
import type { Client } from '../../../xmpp-core/client.js';
import { StanzaError } from '../../../xmpp-core/errors.js';
import type { Storage } from '../../../xmpp-core/storage.js';
import { serviceDiscovery } from '../../../xeps/xep-0030-service-discovery.js';
import { vcard } from '../../../xeps/xep-0054-vcard-temp.js';
import { userAvatar } from '../../../xeps/xep-0084-user-avatar.js';
import { softwareVersion } from '../../../xeps/xep-0092-software-version.js';
import type { AccountConfig } from '../../config/config.js';
import { ownVersion } from '../../version.js';
import { SOFTWARE } from '../client/account-client.js';
import { picture } from './picture.js';

/** The profile of one account. */
export class Profile {
  readonly #account: AccountConfig;
  readonly #client: Client;
  readonly #storage: Storage;

  constructor({ account, client, storage }: { account: AccountConfig; client: Client; storage: Storage }) {
    this.#account = account;
    this.#client = client;
    this.#storage = storage;
  }

  /** Sets the identity for service discovery and the software version. To be called before the client is started. */
  async prepare(): Promise<void> {
    const { nick: name } = this.#account;
    this.#client.get(serviceDiscovery).setIdentity({ category: 'client', type: 'bot', name });
    this.#client.get(softwareVersion).announce({ name: SOFTWARE, version: await ownVersion() });
  }

  /**
   * Gives the account a name and an avatar, once. Existing ones are kept, and removed ones are not set again: both are a person's choice.
   * @throws TimeoutError, XmppError when the connection is lost
   */
  async publish(): Promise<void> {
    const key = `appearance ${this.#account.jid.toString()}`;
    if ((await this.#storage.get(key)) !== undefined) return;
    const cards = this.#client.get(vcard);
    const avatars = this.#client.get(userAvatar);
    try {
      const card = await cards.fetch();
      const isPictured = card?.photo !== undefined || (await avatars.metadata(this.#account.jid)).length > 0;
      const isNamed = card?.fullName !== undefined || card?.nickname !== undefined;
      await cards.publish({
        ...(isNamed ? {} : { fullName: this.#account.nick }),
        ...(isPictured ? {} : { photo: picture() }),
      });
      if (!isPictured) await avatars.publish(picture(), { access: 'open' });
    } catch (error) {
      // The server has no vCards or avatars, or does not show them; then nothing is overwritten.
      if (error instanceof StanzaError) return;
      throw error;
    }
    await this.#storage.set(key, 'published');
  }
}
