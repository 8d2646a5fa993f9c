/** Takes the commands that people give: each is run once, in its place, on the conversation it was given in, and replied to. */
import type { Choices, Command, CommandContext } from '../commands/command.js';
import { conversationCommands } from '../commands/conversation-commands.js';
import { operatorCommands } from '../commands/operator-commands.js';
import { CommandRegistry } from '../commands/registry.js';
import type { Conversation } from '../conversation/history.js';
import { errorText } from '../log.js';
import { commandContext, type CommandContextOptions, type Given } from './command-context.js';
import type { CommandsDone } from './commands-done.js';
import { outletOf, type Outlet } from './outlet.js';

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

  /** Whether a command came before. @param key of its message */
  knows(key: string): boolean {
    return this.#options.done.has(key);
  }

  /** Runs a command that came as a message, and answers there. It is not part of the conversation: the model does not see it. */
  take(given: Given, conversation: Conversation): void {
    if (!this.#options.done.add(given.key)) return;
    const outlet = outletOf(this.#options.client, given.place);
    void this.#take(given, conversation, outlet).then((answer) => {
      if (answer !== '') outlet.remark(answer);
      outlet.state('active');
    });
  }

  /**
   * Runs a command that came in another way, on the conversation at its place.
   * @returns what is to be said to it, `''` for nothing. Never rejects: what fails is told to the log. It stays open for ever when
   *   `/stop` drops the command before its turn.
   */
  async run(given: Given, conversation: Conversation): Promise<string> {
    const outlet = outletOf(this.#options.client, given.place);
    const answer = await this.#take(given, conversation, outlet);
    outlet.state('active');
    return answer;
  }

  /** What the argument of a command can be; nothing where it is free. */
  choices(given: Given, conversation: Conversation): Choices {
    const outlet = outletOf(this.#options.client, given.place);
    return this.#find(given)?.argument?.choices?.(this.#context(given, conversation, outlet)) ?? { values: [] };
  }

  /** Runs it now, or when its turn has come. */
  async #take(given: Given, conversation: Conversation, outlet: Outlet): Promise<string> {
    const context = this.#context(given, conversation, outlet);
    const run = (signal: AbortSignal): Promise<string> => this.#run(given, context, signal);
    if (this.#find(given)?.immediate !== false) return run(new AbortController().signal);
    return new Promise((resolve) => {
      const added = this.#options.queue.add(conversation.id, {
        kind: 'command',
        place: given.place,
        run: async (signal) => resolve(await run(signal)),
      });
      if (added === 'full') resolve(FULL);
    });
  }

  async #run({ name, argument }: Given, context: CommandContext, signal: AbortSignal): Promise<string> {
    try {
      await this.#options.done.written();
      return await this.registry.run(name, argument, context, signal);
    } catch (error) {
      // Who stopped it knows; and when the bot stops, it has nothing more to say.
      if (signal.aborted) return '';
      this.#options.log('error', 'error', { kind: 'internal', command: name, message: errorText(error) });
      return BROKEN;
    }
  }

  #context(given: Given, conversation: Conversation, outlet: Outlet): CommandContext {
    return commandContext(this.#options, { given, conversation, outlet, startedAt: this.#startedAt });
  }

  #find({ name, isOperator }: Given): Command | undefined {
    return this.registry.find(name, { isOperator });
  }
}
