/** People whom the allowlist does not know: they learn that an operator can let them in, operators learn of them, and decide. */
import type { Client } from '../../xmpp-core/client.js';
import { subscriptions } from '../../xmpp-core/im/subscriptions.js';
import type { Jid } from '../../xmpp-core/jid/jid.js';
import type { Storage } from '../../xmpp-core/storage.js';
import type { AccountConfig } from '../config/config.js';
import { outletOf } from './outlet.js';
import { StrangerBook } from './stranger-book.js';

export interface StrangersOptions {
  readonly account: Pick<AccountConfig, 'jid' | 'dmPolicy' | 'operators'>;
  readonly client: Client;
  readonly storage: Storage;
}

const WAIT = "I don't know you yet. An operator can let you in.";
/** What they said before was not kept, for nobody had let them in. */
const WELCOME = 'You have been let in. Please ask me again.';
/** So many requests for presence are remembered; servers repeat them with each session (RFC 6121 §3.1.3). */
const MAX_REQUESTS = 1_000;

/** The strangers of one account. Addresses may have a resource, which is left off. */
export class Strangers {
  readonly #options: StrangersOptions;
  readonly #book: StrangerBook;
  /** Who asked to see the bot's presence and was not let in. */
  readonly #requests = new Set<string>();
  /** Who may no longer see the bot's presence, and whose server could not be told yet; by bare JID. */
  readonly #untold = new Map<string, Jid>();

  constructor(options: StrangersOptions) {
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
      ...(knock.unannounced > 0 ? [`(And ${knock.unannounced} more before, of whom I said nothing.)`] : []),
      ...(knock.kind === 'last' ? ['(Many strangers are coming. For a while I shall say nothing of others.)'] : []),
    ];
    for (const operator of account.operators) this.#say(operator, lines.join('\n'));
  }

  /** Somebody who is not let in asked to see the bot's presence: it is left alone, until they are let in. */
  askedForPresence(stranger: Jid): void {
    this.#requests.add(stranger.bare.toString());
    const [oldest] = this.#requests;
    if (this.#requests.size > MAX_REQUESTS && oldest !== undefined) this.#requests.delete(oldest);
  }

  /**
   * Lets somebody in, for good. Who waited is told; who asked to see the bot's presence now does.
   * @returns whether that is new. Rejects when it could not be written down
   */
  async approve(stranger: Jid): Promise<boolean> {
    const jid = stranger.bare.toString();
    const known = await this.#book.approve(jid);
    const { client } = this.#options;
    this.#untold.delete(jid);
    if (this.#requests.delete(jid) && client.state === 'online') client.get(subscriptions).approve(stranger);
    if (known === 'waiting') this.#say(stranger, WELCOME);
    return known !== 'approved';
  }

  /**
   * Turns somebody away, and takes an approval back: they are not told, and not announced again for a day.
   * @returns whether they had been let in or waited. Rejects when it could not be written down
   */
  async deny(stranger: Jid): Promise<boolean> {
    const jid = stranger.bare.toString();
    const known = await this.#book.deny(jid);
    // Whatever let them see the bot's presence: another rule, or a person at another client.
    this.#untold.set(jid, stranger.bare);
    this.online();
    return known !== 'unknown';
  }

  /** Says what could not be said without a connection. For each time that there is one. */
  online(): void {
    const { client } = this.#options;
    if (client.state !== 'online') return;
    for (const stranger of this.#untold.values()) client.get(subscriptions).deny(stranger);
    this.#untold.clear();
  }

  #say(to: Jid, text: string): void {
    outletOf(this.#options.client, { kind: 'direct', to: to.bare }).remark(text);
  }
}
