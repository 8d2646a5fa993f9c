/** Strangers who write to the bot: they learn that an operator can let them in, and operators get a request to decide on. */
import type { Client } from '../../../xmpp-core/client.js';
import { Jid } from '../../../xmpp-core/jid/jid.js';
import type { AccountConfig } from '../../config/config.js';
import { replyChannelTo } from '../outbound/reply-channel.js';
import type { PresenceSubscribers } from './presence-subscribers.js';
import type { StrangerBook } from './stranger-book.js';

/** Parts of the contact requests. */
export interface ContactRequestsOptions {
  readonly account: Pick<AccountConfig, 'dmPolicy' | 'operators'>;
  readonly client: Client;
  readonly book: StrangerBook;
  readonly presenceSubscribers: Pick<PresenceSubscribers, 'approve' | 'cancel'>;
}

const WAIT = "I don't know you yet. An operator can let you in.";
/** Nothing that they wrote before was kept. */
const WELCOME = 'An operator has let you in. Please ask me again.';

/** The contact requests of one account. Addresses may have a resource, which is ignored. */
export class ContactRequests {
  readonly #options: ContactRequestsOptions;

  constructor(options: ContactRequestsOptions) {
    this.#options = options;
  }

  /** The canonical bare JIDs of those who wait for a decision, the oldest first. */
  waiting(): readonly string[] {
    return this.#options.book.waiting;
  }

  /** The stranger who wrote, or was approved or denied, under this very address. */
  find(address: string): Jid | undefined {
    return this.#options.book.knows(address) ? Jid.fromWire(address) : undefined;
  }

  /** Handles a direct message of somebody who is not let in. The first one notifies them and the operators; without operators nothing is sent. */
  async request(stranger: Jid): Promise<void> {
    const { account, book } = this.#options;
    // Servers and components write as well. They cannot be let in.
    if (account.dmPolicy !== 'allowlist' || account.operators.length === 0 || stranger.localpart === '') return;
    const jid = stranger.bare.toString();
    const attempt = await book.recordAttempt(jid);
    if (attempt.kind === 'silence') return;
    this.#notify(stranger, WAIT);
    const lines = [
      `${jid} wrote to me, and I don't know them.`,
      `/approve ${jid}`,
      `/deny ${jid}`,
      ...(attempt.unannounced > 0 ? [`(${attempt.unannounced} more wrote before and were not announced.)`] : []),
      ...(attempt.kind === 'last' ? ['(Many strangers are writing, so I will not announce more for a while.)'] : []),
    ];
    for (const operator of account.operators) this.#notify(operator, lines.join('\n'));
  }

  /**
   * Lets somebody in, for good. A stranger who waited is notified, and a pending presence subscription is approved.
   * @returns whether they were not let in before. Rejects when the approval could not be written to disk
   */
  async approve(stranger: Jid): Promise<boolean> {
    const known = await this.#options.book.approve(stranger.bare.toString());
    this.#options.presenceSubscribers.approve(stranger);
    if (known === 'waiting') this.#notify(stranger, WELCOME);
    return known !== 'approved';
  }

  /**
   * Denies somebody, and takes an approval back. They are not notified, and operators get no new request from them for a day.
   * @returns whether they were let in or waiting. Rejects when the denial could not be written to disk
   */
  async deny(stranger: Jid): Promise<boolean> {
    const known = await this.#options.book.deny(stranger.bare.toString());
    this.#options.presenceSubscribers.cancel(stranger);
    return known !== 'unknown';
  }

  #notify(to: Jid, text: string): void {
    replyChannelTo(this.#options.client, { kind: 'direct', to: to.bare }).notify(text);
  }
}
