/** Shows the bot's answers in a terminal. When a correction only extends a message, only the new text is printed. */
import type { Client } from '../../xmpp-core/client.js';
import { TimeoutError } from '../../xmpp-core/errors.js';
import type { Jid } from '../../xmpp-core/jid/jid.js';
import type { Message } from '../../xmpp-core/stanza/stanzas.js';
import { readChatState } from '../../xeps/xep-0085-chat-states.js';
import { readCorrection } from '../../xeps/xep-0308-message-correction.js';

/** Prints the messages of one sender. */
export class ReplyScreen {
  readonly #write: (text: string) => void;
  /** The id and printed text of the last message. */
  #shown: { id: string | undefined; text: string } | undefined;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** Prints messages of `sender` until the answer is complete. @returns false when the time is over or the signal is aborted first */
  async show(
    client: Client,
    sender: Jid,
    limits: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<boolean> {
    this.#shown = undefined;
    const dispose = client.events.on('message', (message) => {
      if (message.from.bare.equals(sender)) this.#print(message);
    });
    try {
      // The last message of an answer has the chat state `active`.
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

  #print({ element, id, body }: Message): void {
    if (body === undefined) return;
    const replaced = readCorrection(element);
    const before = this.#shown;
    if (before !== undefined && replaced === before.id && body.startsWith(before.text)) {
      this.#write(body.slice(before.text.length));
    } else {
      this.#write(`${before === undefined ? '' : '\n'}${body}`);
    }
    this.#shown = { id: replaced ?? id, text: body };
  }
}
