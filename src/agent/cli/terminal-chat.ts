/** A chat with the bot on a terminal: lines are sent at once, also while an answer is being written. */
import { createInterface } from 'node:readline';
import type { Client } from '../../xmpp-core/client.js';
import type { Jid } from '../../xmpp-core/jid/jid.js';
import { writeMessage, type Message } from '../../xmpp-core/stanza/stanzas.js';
import { readChatState } from '../../xeps/xep-0085-chat-states.js';
import { readCorrection } from '../../xeps/xep-0308-message-correction.js';
import { TerminalScreen } from './terminal-screen.js';

/** Chats until Ctrl-D, Ctrl-C, or until `signal` is aborted; a running answer does not delay the end. */
export async function chatOnTerminal(person: Client, bot: Jid, signal: AbortSignal): Promise<void> {
  const { stdin: input, stdout: output } = process;
  output.write('Type a message. /help lists the commands, Ctrl-D quits.\n');
  const lines = createInterface({ input, output, prompt: 'you> ', signal });
  const show = printer(new TerminalScreen(output, lines));
  const dispose = person.events.on('message', (message) => {
    if (message.from.bare.equals(bot)) show(message);
  });
  lines.on('line', (line) => {
    if (line.trim() !== '') person.send(writeMessage({ to: bot, type: 'chat', body: line }));
    lines.prompt();
  });
  lines.on('SIGINT', () => lines.close());
  lines.prompt();
  await new Promise<void>((resolve) => {
    lines.once('close', resolve);
  });
  dispose();
  output.write('\n');
}

/** Shows messages as one growing text each. */
function printer(screen: TerminalScreen): (message: Message) => void {
  let shown: { readonly id: string | undefined; readonly text: string } | undefined;
  return ({ element, id, body }) => {
    if (body !== undefined) {
      const replaced = readCorrection(element);
      if (shown !== undefined && replaced === shown.id && body.startsWith(shown.text)) {
        screen.append(body.slice(shown.text.length));
      } else {
        screen.end();
        screen.append(`bot> ${body}`);
      }
      shown = { id: replaced ?? id, text: body };
    }
    // The last message of an answer has the chat state `active`.
    if (readChatState(element) !== 'active') return;
    screen.end();
    shown = undefined;
  };
}
