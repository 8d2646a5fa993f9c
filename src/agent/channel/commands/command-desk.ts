/** Takes the commands that people give: each is run once, in its place, on the conversation it was given in, and replied to. */
import { Jid } from '../../../xmpp-core/jid/jid.js';
import type { Choices, Command, CommandContext } from '../../commands/command.js';
import { conversationCommands } from '../../commands/conversation-commands.js';
import { operatorCommands } from '../../commands/operator-commands.js';
import { CommandRegistry } from '../../commands/registry.js';
import type { Conversation, GivenCommand } from '../../conversation/history.js';
import { errorText } from '../../log.js';
import { isOperator, isOperatorIn } from '../access/rules.js';
import { commandContext, type CommandContextOptions, type Given } from './command-context.js';
import { payerAt } from '../places/identities.js';
import { replyChannelTo, type ReplyChannel } from '../outbound/reply-channel.js';
import type { Place } from '../places/place.js';

export type { Given, RoomDesk } from './command-context.js';

export interface CommandDeskOptions extends CommandContextOptions {
  /** Resolves when something can be said at the place; rejects when the bot stops. */
  readonly opened: (place: Place) => Promise<void>;
  /** Takes work that nobody waits for; its failure is told to the log. */
  readonly later: (work: Promise<void>) => void;
}

const FULL = 'Too many requests are waiting here already; /stop drops them.';
const BROKEN = 'That did not work; my operator needs to look into it.';

export class CommandDesk {
  /** All commands there are, under whichever name people reach them. */
  readonly registry = new CommandRegistry([...conversationCommands, ...operatorCommands]);
  readonly #options: CommandDeskOptions;
  readonly #startedAt = performance.now();

  constructor(options: CommandDeskOptions) {
    this.#options = options;
  }

  /**
   * Takes a command that came as a message; it is answered there. It is no part of what the model sees of the conversation, but stands in
   * its file, so that it is carried out also after a crash, and once however often it comes.
   * @throws HistoryError when it could not be written down
   */
  async take(given: Given, conversation: Conversation): Promise<void> {
    if ((await this.#writeDown(given, conversation)) === 'new') this.#options.later(this.#answer(given, conversation));
  }

  /** Takes up a command that was written down before the last stop. Who may still be an operator is for the rules of now. */
  resume(command: GivenCommand, place: Place, conversation: Conversation): void {
    const { account } = this.#options;
    const from = Jid.tryParse(command.from);
    const isOurs = place.kind === 'direct' ? isOperator(account, place.to) : isOperatorIn(account, place.to.bare, from);
    const given = { ...command, place, payer: payerAt(place), isOperator: isOurs };
    this.#options.later(this.#answer(given, conversation));
  }

  /**
   * Runs a command that came in another way, on the conversation at its place.
   * @returns what is to be said to it, `''` for nothing. It stays open for ever when `/stop` drops the command before its turn.
   * @throws HistoryError when it could not be written down
   */
  async run(given: Given, conversation: Conversation): Promise<string> {
    const outlet = replyChannelTo(this.#options.client, given.place);
    await this.#writeDown(given, conversation);
    const answer = await this.#take(given, conversation, outlet);
    outlet.state('active');
    return answer;
  }

  /** What the argument of a command can be; nothing where it is free. */
  choices(given: Given, conversation: Conversation): Choices {
    const outlet = replyChannelTo(this.#options.client, given.place);
    return this.#find(given)?.argument?.choices?.(this.#context(given, conversation, outlet)) ?? { values: [] };
  }

  #writeDown(given: Given, conversation: Conversation): Promise<'new' | 'duplicate'> {
    const { key, at, name, argument, author, from, place } = given;
    return conversation.give({ kind: 'command', key, at, name, argument, author, from, reference: place });
  }

  async #answer(given: Given, conversation: Conversation): Promise<void> {
    const { client, opened } = this.#options;
    const outlet = replyChannelTo(client, given.place);
    const answer = await this.#take(given, conversation, outlet);
    await opened(given.place);
    if (answer !== '') outlet.remark(answer);
    outlet.state('active');
  }

  /** Runs it now, or when its turn has come. */
  async #take(given: Given, conversation: Conversation, outlet: ReplyChannel): Promise<string> {
    const { key, place } = given;
    const context = this.#context(given, conversation, outlet);
    const run = (signal: AbortSignal): Promise<string> => this.#run(given, context, conversation, signal);
    if (this.#find(given)?.immediate !== false) return run(new AbortController().signal);
    return new Promise((resolve) => {
      const added = this.#options.queue.add(conversation.id, {
        kind: 'command',
        key,
        place,
        run: async (signal) => resolve(await run(signal)),
      });
      if (added === 'full') resolve(this.#settled(given, conversation, FULL));
    });
  }

  async #run(given: Given, context: CommandContext, conversation: Conversation, signal: AbortSignal): Promise<string> {
    try {
      const answer = await this.registry.run(given.name, given.argument, context, signal);
      return await this.#settled(given, conversation, answer);
    } catch (error) {
      // Who stopped it knows, and has settled it; and when the bot stops, it is taken up again after the next start.
      if (signal.aborted) return '';
      this.#report(given, error);
      return this.#settled(given, conversation, BROKEN);
    }
  }

  /** Writes down that nothing of it is owed any more, before that is said. Never rejects: what fails is told to the log. */
  async #settled(given: Given, conversation: Conversation, answer: string): Promise<string> {
    try {
      await conversation.done(given.key);
      return answer;
    } catch (error) {
      this.#report(given, error);
      return BROKEN;
    }
  }

  #report({ name }: Given, error: unknown): void {
    this.#options.log('error', 'error', { kind: 'internal', command: name, message: errorText(error) });
  }

  #context(given: Given, conversation: Conversation, outlet: ReplyChannel): CommandContext {
    return commandContext(this.#options, { given, conversation, outlet, startedAt: this.#startedAt });
  }

  #find({ name, isOperator }: Given): Command | undefined {
    return this.registry.find(name, { isOperator });
  }
}
