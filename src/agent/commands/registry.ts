/** All commands of the bot: finds them, lists them, answers to those that do not exist. */
import { nearestWord } from '../config/suggestion.js';
import type { Command, CommandContext } from './command.js';

/** Who asks; a part of `CommandContext`. */
export type Asker = Pick<CommandContext, 'isOperator'>;

/** Made once, of all commands. It adds `/help`, which lists the others. */
export class CommandRegistry {
  readonly #commands: ReadonlyMap<string, Command>;

  /** @throws {Error} when two commands have the same name: a mistake of ours, not of people's */
  constructor(commands: readonly Command[]) {
    const all = [...commands, this.#helpCommand()];
    this.#commands = new Map(all.map((command) => [command.name, command]));
    if (this.#commands.size < all.length) throw new Error('two commands have the same name');
  }

  /** The commands that exist for this person, by name: for `/help` and for lists of buttons (XEP-0050). */
  list({ isOperator }: Asker): Command[] {
    const visible = [...this.#commands.values()].filter((command) => isOperator || !command.operator);
    return visible.sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** The command of that name. `undefined` when there is none, or none for this person. */
  find(name: string, asker: Asker): Command | undefined {
    const command = this.#commands.get(name);
    return command === undefined || (command.operator && !asker.isOperator) ? undefined : command;
  }

  /**
   * Runs a command, or says that it does not exist and which one may have been meant.
   * @param signal aborted when the command is to end early
   * @returns what to say; `''` for nothing
   */
  async run(name: string, argument: string, context: CommandContext, signal: AbortSignal): Promise<string> {
    const command = this.find(name, context);
    return command === undefined ? this.#unknown(name, context) : await command.run(context, argument, signal);
  }

  #unknown(name: string, asker: Asker): string {
    // Who wrote a novel after the slash knows what they wrote.
    const said = name.length <= MAX_SHOWN ? `/${name}` : 'that';
    const names = this.list(asker).map((command) => command.name);
    const meant = names.find((known) => known.startsWith(name)) ?? nearestWord(name, names) ?? 'help';
    return `I don't know ${said}. Did you mean /${meant}? (Start with // to send it as text.)`;
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

/** A longer name is not repeated. */
const MAX_SHOWN = 32;
const HELP_END = 'To send text that begins with a slash, start it with two.';

function helpLine({ name, usage, summary }: Command): string {
  return `/${name}${usage && ` ${usage}`}: ${summary}`;
}
