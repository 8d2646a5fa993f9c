/** People whom the allowlist does not know: they learn that an operator can let them in, operators learn of them, and decide. */
import type { Client } from '../../../xmpp-core/client.js';
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import type { Storage } from '../../../xmpp-core/storage.js';
import type { AccountConfig } from '../../config/config.js';
import { replyChannelTo } from '../outbound/reply-channel.js';
import { StrangerBook } from './stranger-book.js';
import type { PresenceSubscribers } from './presence-subscribers.js';

export interface ContactRequestsOptions {
  readonly account: Pick<AccountConfig, 'jid' | 'dmPolicy' | 'operators'>;
  readonly client: Client;
  readonly storage: Storage;
  readonly watchers: Pick<PresenceSubscribers, 'letIn' | 'turnAway'>;
}

const WAIT = "I don't know you yet. An operator can let you in.";
/** What they said before was not kept, for nobody had let them in. */
const WELCOME = 'An operator has let you in. Please ask me again.';

/** The strangers of one account. Addresses may have a resource, which is left off. */
export class ContactRequests {
  readonly #options: ContactRequestsOptions;
  readonly #book: StrangerBook;

  constructor(options: ContactRequestsOptions) {
    this.#options = options;
    this.#book = new StrangerBook(options.storage, options.account.jid.toString());
  }

  /** Reads who was let in before. Rejects when that cannot be read. */
  load(): Promise<void> {
    return this.#book.load();
  }

  /**
   * The canonical bare JIDs of those whom operators let in; for `directAccess`.
   * @param at when something was said, which may be long ago: what was said before its sender was let in is not answered
   */
  approved(at?: Date): ReadonlySet<string> {
    return at === undefined ? this.#book.approved : this.#book.approvedAt(at);
  }

  /** The canonical bare JIDs of those who were announced and are not decided on, the oldest first. */
  waiting(): readonly string[] {
    return this.#book.waiting;
  }

  /** Somebody wrote directly and was not let in: the first time they are told, and operators too. Without operators all is silence. */
  async wrote(stranger: Jid): Promise<void> {
    const { account } = this.#options;
    // Servers and components write as well, and are nobody to let in.
    if (account.dmPolicy !== 'allowlist' || account.operators.length === 0 || stranger.localpart === '') return;
    const knock = await this.#book.knock(stranger.bare.toString());
    if (knock.kind === 'silence') return;
    this.#say(stranger, WAIT);
    const jid = stranger.bare.toString();
    const lines = [
      `${jid} wrote to me, and I don't know them.`,
      `/approve ${jid}`,
      `/deny ${jid}`,
      ...(knock.unannounced > 0 ? [`(${knock.unannounced} more wrote before and were not announced.)`] : []),
      ...(knock.kind === 'last' ? ['(Many strangers are writing, so I will not announce more for a while.)'] : []),
    ];
    for (const operator of account.operators) this.#say(operator, lines.join('\n'));
  }

  /**
   * Lets somebody in, for good. Who waited is told; who asked to see the bot's presence now does.
   * @returns whether that is new. Rejects when it could not be written down
   */
  async approve(stranger: Jid): Promise<boolean> {
    const known = await this.#book.approve(stranger.bare.toString());
    this.#options.watchers.letIn(stranger);
    if (known === 'waiting') this.#say(stranger, WELCOME);
    return known !== 'approved';
  }

  /**
   * Turns somebody away, and takes an approval back: they are not told, and not announced again for a day.
   * @returns whether they had been let in or waited. Rejects when it could not be written down
   */
  async deny(stranger: Jid): Promise<boolean> {
    const known = await this.#book.deny(stranger.bare.toString());
    this.#options.watchers.turnAway(stranger);
    return known !== 'unknown';
  }

  #say(to: Jid, text: string): void {
    replyChannelTo(this.#options.client, { kind: 'direct', to: to.bare }).remark(text);
  }
}
