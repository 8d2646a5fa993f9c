/** Takes the commands that people give: each is run once, in its place, on the conversation it was given in, and replied to. */
import type { Client } from '../../xmpp-core/client.js';
import type { CommandContext } from '../commands/command.js';
import { conversationCommands } from '../commands/conversation-commands.js';
import { CommandRegistry } from '../commands/registry.js';
import { roomConfig, type AccountConfig } from '../config/config.js';
import { RecentKeys } from '../conversation/conversation.js';
import type { Conversation } from '../conversation/history.js';
import type { TurnQueue } from '../conversation/queue.js';
import { errorText, type Log } from '../log.js';
import type { Model } from '../model/model.js';
import { outletOf } from './outlet.js';
import type { Place } from './place.js';
import type { Task } from './tasks.js';

export interface CommandDeskOptions {
  readonly account: AccountConfig;
  readonly client: Client;
  readonly queue: TurnQueue<Task>;
  readonly modelOf: (provider: string, model: string) => Model;
  readonly log: Log;
}

/** A command as it was given. */
export interface Given {
  readonly name: string;
  readonly argument: string;
  /** Tells the message from others: what comes twice, as after a resumption, is done once. */
  readonly key: string;
  readonly place: Place;
  readonly isOperator: boolean;
}

const MAX_KEYS = 1_000;

export class CommandDesk {
  readonly #options: CommandDeskOptions;
  readonly #commands = new CommandRegistry(conversationCommands);
  readonly #keys = new RecentKeys(MAX_KEYS);
  readonly #startedAt = performance.now();

  constructor(options: CommandDeskOptions) {
    this.#options = options;
  }

  /** Runs the command, now or when its turn has come. It is not part of the conversation: the model does not see it. */
  take(given: Given, conversation: Conversation): void {
    if (this.#keys.has(given.key)) return;
    this.#keys.add(given.key);
    const { place, name } = given;
    const context = this.#context(given, conversation);
    const run = (): Promise<void> => this.#run(given, context);
    const waits = this.#commands.find(name, context)?.immediate === false;
    if (waits && this.#options.queue.add(conversation.id, { kind: 'command', place, run }) !== 'full') return;
    void run();
  }

  /** Never rejects: what fails is told to the log and to whoever gave the command. */
  async #run({ name, argument, place }: Given, context: CommandContext): Promise<void> {
    const { client, log } = this.#options;
    const outlet = outletOf(client, place);
    try {
      outlet.remark(await this.#commands.run(name, argument, context));
    } catch (error) {
      log('error', 'error', { kind: 'internal', command: name, message: errorText(error) });
      outlet.remark('That did not work; my operator has to look into it.');
    }
  }

  #context({ place, isOperator }: Given, conversation: Conversation): CommandContext {
    const { account, queue, modelOf } = this.#options;
    const voice = place.kind === 'room' ? roomConfig(account, place.to) : account;
    return {
      isOperator,
      startNew: () => conversation.startNew(),
      stop: async () => {
        const { aborted, dropped } = queue.stop(conversation.id);
        const taken = [...(aborted?.items ?? []), ...dropped];
        const keys = taken.flatMap((task) => (task.kind === 'question' ? task.key : []));
        // Written down before it is said: these questions are owed no answer any more, after a crash neither.
        if (keys.length > 0) await conversation.fail(keys);
        return taken.length > 0;
      },
      status: () => {
        const { running, waiting } = queue.status(conversation.id);
        return {
          account: account.jid.toString(),
          model: modelOf(voice.modelProvider, voice.model).name,
          conversation: place.to.toString(),
          uptimeMs: performance.now() - this.#startedAt,
          busy: running,
          queued: waiting,
        };
      },
    };
  }
}
