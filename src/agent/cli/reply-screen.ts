/** Shows the bot's answers in a terminal: what is corrected while it grows is written on, not written again. */
import type { Client } from '../../xmpp-core/client.js';
import { TimeoutError } from '../../xmpp-core/errors.js';
import type { Jid } from '../../xmpp-core/jid/jid.js';
import type { Message } from '../../xmpp-core/stanza/stanzas.js';
import { readChatState } from '../../xeps/xep-0085-chat-states.js';
import { readCorrection } from '../../xeps/xep-0308-message-correction.js';

export class ReplyScreen {
  readonly #write: (text: string) => void;
  readonly #isTerminal: boolean;
  /** What is on the screen of the message that was shown last. */
  #shown: { id: string | undefined; text: string } | undefined;

  constructor(write: (text: string) => void, isTerminal: boolean) {
    this.#write = write;
    this.#isTerminal = isTerminal;
  }

  /** Shows what `sender` says until they are done with it. @returns whether they were, within the limits given */
  async show(
    client: Client,
    sender: Jid,
    limits: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<boolean> {
    this.#shown = undefined;
    const dispose = client.events.on('message', (message) => {
      if (message.from.bare.equals(sender)) this.#take(message);
    });
    try {
      // A message that is not followed by more of the same answer says `active`.
      const isLast = (message: Message): boolean =>
        message.from.bare.equals(sender) && readChatState(message.element) === 'active' && this.#shown !== undefined;
      await client.events.once('message', { where: isLast, ...limits });
      this.#write('\n');
      return true;
    } catch (error) {
      if (error instanceof TimeoutError || limits.signal.aborted) return false;
      throw error;
    } finally {
      dispose();
    }
  }

  #take({ element, id, body }: Message): void {
    if (body === undefined) return;
    const replaced = readCorrection(element);
    const before = this.#shown;
    if (before !== undefined && replaced === before.id && body.startsWith(before.text)) {
      this.#write(body.slice(before.text.length));
    } else {
      this.#write(`${before === undefined ? '' : '\n'}${this.#isTerminal ? 'bot> ' : ''}${body}`);
    }
    this.#shown = { id: replaced ?? id, text: body };
  }
}
