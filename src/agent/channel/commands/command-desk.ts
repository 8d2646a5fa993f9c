/** Runs the commands that people give: each once, in its place in the queue, on the conversation that it was given in. */
import { Jid } from '../../../xmpp-core/jid/jid.js';
import type { ArgumentChoices, Command, CommandContext } from '../../commands/command.js';
import { conversationCommands } from '../../commands/conversation-commands.js';
import { operatorCommands } from '../../commands/operator-commands.js';
import { CommandRegistry } from '../../commands/registry.js';
import type { Conversation, ReceivedCommand } from '../../conversation/history.js';
import { errorText } from '../../log.js';
import type { Background } from '../../background.js';
import { isOperator, isOperatorIn } from '../access/rules.js';
import { replyChannelTo, type ReplyChannel } from '../outbound/reply-channel.js';
import { payerAt } from '../places/identities.js';
import type { Place } from '../places/place.js';
import type { Reachability } from '../rooms/reachability.js';
import { commandContext, type CommandContextOptions, type CommandRequest } from './command-context.js';

export type { CommandRequest } from './command-context.js';

/** Parts of the command desk. */
export interface CommandDeskOptions extends CommandContextOptions {
  readonly reachability: Reachability;
  readonly background: Background;
}

const FULL = 'Too many requests are waiting here already; /stop drops them.';
const BROKEN = 'That did not work; my operator needs to look into it.';

/** The commands of one account. */
export class CommandDesk {
  /** All commands, by their names and aliases. */
  readonly registry = new CommandRegistry([...conversationCommands, ...operatorCommands]);
  readonly #options: CommandDeskOptions;
  readonly #startedAt = performance.now();

  constructor(options: CommandDeskOptions) {
    this.#options = options;
  }

  /**
   * Takes a command that came as a message, and answers it there. The model never sees it, but it is in the conversation's file: so it runs
   * even after a crash, and only once however often it arrives.
   * @throws HistoryError when it could not be written to disk
   */
  async take(given: CommandRequest, conversation: Conversation): Promise<void> {
    if ((await this.#record(given, conversation)) === 'new') this.#answerLater(given, conversation);
  }

  /** Runs a command that was recorded before the last stop. Whether its sender is an operator is decided by the current rules. */
  resume(command: ReceivedCommand, place: Place, conversation: Conversation): void {
    const { account } = this.#options;
    const from = Jid.fromWire(command.from);
    const isOurs = place.kind === 'direct' ? isOperator(account, place.to) : isOperatorIn(account, place.to.bare, from);
    const given = { ...command, place, payer: payerAt(place), isOperator: isOurs };
    this.#answerLater(given, conversation);
  }

  /**
   * Runs a command that did not come as a message, on the conversation at its place.
   * @returns the answer, `''` for none. It stays pending for ever when `/stop` drops the command before its turn.
   * @throws HistoryError when it could not be written to disk
   */
  async run(given: CommandRequest, conversation: Conversation): Promise<string> {
    const channel = replyChannelTo(this.#options.client, given.place);
    await this.#record(given, conversation);
    const answer = await this.#take(given, conversation, channel);
    channel.sendChatState('active');
    return answer;
  }

  /** The values that the argument of a command can have; empty where it is free text. */
  choices(given: CommandRequest, conversation: Conversation): ArgumentChoices {
    const channel = replyChannelTo(this.#options.client, given.place);
    return this.#find(given)?.argument?.choices?.(this.#context(given, conversation, channel)) ?? { values: [] };
  }

  #record(given: CommandRequest, conversation: Conversation): Promise<'new' | 'duplicate'> {
    const { key, alias, at, name, argument, author, from, place } = given;
    const names = { key, ...(alias === undefined ? {} : { alias }) };
    return conversation.addCommand({ kind: 'command', ...names, at, name, argument, author, from, reference: place });
  }

  #answerLater(given: CommandRequest, conversation: Conversation): void {
    this.#options.background.run('command', () => this.#answer(given, conversation));
  }

  async #answer(given: CommandRequest, conversation: Conversation): Promise<void> {
    const { client, reachability } = this.#options;
    const channel = replyChannelTo(client, given.place);
    const answer = await this.#take(given, conversation, channel);
    await reachability.opened(given.place);
    if (answer !== '') channel.notify(answer);
    channel.sendChatState('active');
  }

  /** Runs it now, or when its turn comes. */
  async #take(given: CommandRequest, conversation: Conversation, channel: ReplyChannel): Promise<string> {
    const { key, place } = given;
    const context = this.#context(given, conversation, channel);
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

  async #run(
    given: CommandRequest,
    context: CommandContext,
    conversation: Conversation,
    signal: AbortSignal,
  ): Promise<string> {
    try {
      const answer = await this.registry.run(given.name, given.argument, context, signal);
      return await this.#settled(given, conversation, answer);
    } catch (error) {
      // `/stop` has settled it already. When the bot stops, it runs after the next start.
      if (signal.aborted) return '';
      this.#report(given, error);
      return this.#settled(given, conversation, BROKEN);
    }
  }

  /** Records on disk that the command is done, before anybody is notified. Never rejects: a failure is logged. */
  async #settled(given: CommandRequest, conversation: Conversation, answer: string): Promise<string> {
    try {
      await conversation.finishCommand(given.key);
      return answer;
    } catch (error) {
      this.#report(given, error);
      return BROKEN;
    }
  }

  #report({ name }: CommandRequest, error: unknown): void {
    this.#options.log('error', 'error', { kind: 'internal', command: name, message: errorText(error) });
  }

  #context(given: CommandRequest, conversation: Conversation, channel: ReplyChannel): CommandContext {
    return commandContext(this.#options, { given, conversation, channel, startedAt: this.#startedAt });
  }

  #find({ name, isOperator }: CommandRequest): Command | undefined {
    return this.registry.find(name, { isOperator });
  }
}
