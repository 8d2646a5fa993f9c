/** Takes the commands that people give: each is run once, in its place, on the conversation it was given in, and replied to. */
import type { Choices, Command } from '../commands/command.js';
import { conversationCommands } from '../commands/conversation-commands.js';
import { operatorCommands } from '../commands/operator-commands.js';
import { CommandRegistry } from '../commands/registry.js';
import type { Conversation } from '../conversation/history.js';
import { errorText } from '../log.js';
import { commandContext, type CommandContextOptions, type Given } from './command-context.js';
import type { CommandsDone } from './commands-done.js';
import { outletOf } from './outlet.js';

export type { Given, RoomDesk } from './command-context.js';

export interface CommandDeskOptions extends CommandContextOptions {
  readonly done: CommandsDone;
}

const FULL = 'Too much waits here already; /stop drops it.';
const BROKEN = 'That did not work; my operator has to look into it.';

export class CommandDesk {
  /** All commands there are, under whichever name people reach them. */
  readonly registry = new CommandRegistry([...conversationCommands, ...operatorCommands]);
  readonly #options: CommandDeskOptions;
  readonly #startedAt = performance.now();

  constructor(options: CommandDeskOptions) {
    this.#options = options;
  }

  /** Runs a command that came as a message, and answers there. It is not part of the conversation: the model does not see it. */
  take(given: Given, conversation: Conversation): void {
    if (!this.#options.done.add(given.key)) return;
    void this.run(given, conversation).then((answer) => this.say(given, answer));
  }

  /**
   * Runs a command, now or when its turn has come.
   * @returns what is to be said to it, `''` for nothing. Never rejects: what fails is told to the log. It stays open for ever when
   *   `/stop` drops the command before its turn.
   */
  run(given: Given, conversation: Conversation): Promise<string> {
    if (this.#find(given)?.immediate !== false) return this.#run(given, conversation, new AbortController().signal);
    return new Promise((resolve) => {
      const added = this.#options.queue.add(conversation.id, {
        kind: 'command',
        place: given.place,
        run: async (signal) => resolve(await this.#run(given, conversation, signal)),
      });
      if (added === 'full') resolve(FULL);
    });
  }

  /** Says what came of a command in the conversation. */
  say({ place }: Given, answer: string): void {
    if (answer !== '') outletOf(this.#options.client, place).remark(answer);
  }

  /** What the argument of a command can be; nothing where it is free. */
  choices(given: Given, conversation: Conversation): Choices {
    const context = commandContext(this.#options, given, conversation, this.#startedAt);
    return this.#find(given)?.argument?.choices?.(context) ?? { values: [] };
  }

  async #run(given: Given, conversation: Conversation, signal: AbortSignal): Promise<string> {
    const { client, done, log } = this.#options;
    const { name, argument, place } = given;
    const outlet = outletOf(client, place);
    // What waits for its turn may ask the model, and take its time.
    if (this.#find(given)?.immediate === false) outlet.state('composing');
    try {
      await done.written();
      const context = commandContext(this.#options, given, conversation, this.#startedAt);
      return await this.registry.run(name, argument, context, signal);
    } catch (error) {
      // Who stopped it knows; and when the bot stops, it has nothing more to say.
      if (signal.aborted) return '';
      log('error', 'error', { kind: 'internal', command: name, message: errorText(error) });
      return BROKEN;
    } finally {
      outlet.state('active');
    }
  }

  #find({ name, isOperator }: Given): Command | undefined {
    return this.registry.find(name, { isOperator });
  }
}
