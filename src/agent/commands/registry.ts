/** The registry of commands: finds, lists and runs them, and answers unknown ones. */
import { nearestWord } from '../config/suggestion.js';
import type { Command, CommandContext } from './command.js';

/** The sender of a command; a part of `CommandContext`. */
export type Requester = Pick<CommandContext, 'isOperator'>;

/** All commands, and `/help`, which lists them. */
export class CommandRegistry {
  readonly #commands: ReadonlyMap<string, Command>;

  /** @throws {Error} when two commands have the same name: a programming error */
  constructor(commands: readonly Command[]) {
    const all = [...commands, this.#helpCommand()];
    this.#commands = new Map(all.map((command) => [command.name, command]));
    if (this.#commands.size < all.length) throw new Error('two commands have the same name');
  }

  /** The commands available to this sender, sorted by name: for `/help` and ad-hoc commands (XEP-0050). */
  list({ isOperator }: Requester): Command[] {
    const visible = [...this.#commands.values()].filter((command) => isOperator || !command.operator);
    return visible.sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** The command with this name; `undefined` when it does not exist or is not available to this sender. */
  find(name: string, requester: Requester): Command | undefined {
    const command = this.#commands.get(name);
    return command === undefined || (command.operator && !requester.isOperator) ? undefined : command;
  }

  /**
   * Runs a command. The reply to an unknown one suggests the nearest name.
   * @param signal aborted when the command must end early
   * @returns the reply; `''` for none
   */
  async run(name: string, argument: string, context: CommandContext, signal: AbortSignal): Promise<string> {
    const command = this.find(name, context);
    return command === undefined ? this.#unknown(name, context) : await command.run(context, argument, signal);
  }

  #unknown(name: string, requester: Requester): string {
    // A long name is not quoted.
    const quoted = name.length <= MAX_SHOWN ? `/${name}` : 'that';
    const names = this.list(requester).map((command) => command.name);
    const suggestion = names.find((known) => known.startsWith(name)) ?? nearestWord(name, names) ?? 'help';
    return `I don't know ${quoted}. Did you mean /${suggestion}? (Start with // to send it as text.)`;
  }

  #helpCommand(): Command {
    return {
      name: 'help',
      usage: '',
      summary: 'lists the commands',
      operator: false,
      immediate: true,
      run: (context) => [...this.list(context).map(helpLine), HELP_END].join('\n'),
    };
  }
}

/** A longer name is not quoted. */
const MAX_SHOWN = 32;
const HELP_END = 'To send text that begins with a slash, start it with two.';

function helpLine({ name, usage, summary }: Command): string {
  return `/${name}${usage && ` ${usage}`}: ${summary}`;
}
