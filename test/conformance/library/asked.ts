/** What an action asks for, field by field; each that was not read in the end was a mistake of the scenario. */
import { Jid } from '../../../src/xmpp-core/jid/jid.js';
import { writeLine, type Line } from '../implementation.js';

/** An action that no scenario may ask for. */
export class ActionError extends Error {
  override readonly name = 'ActionError';
}

export class Asked {
  readonly #line: Line;
  readonly #unread: Set<string>;

  constructor(line: Line) {
    this.#line = line;
    this.#unread = new Set(line.fields.keys());
  }

  get verb(): string {
    return this.#line.verb;
  }

  /** The value of a field, if it is there. */
  text(name: string): string | undefined {
    this.#unread.delete(name);
    return this.#line.fields.get(name);
  }

  /** @throws ActionError when there is no such field */
  need(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw new ActionError(`'${writeLine(this.#line)}' needs the field '${name}'`);
    return value;
  }

  jid(name: string): Jid | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : Jid.parse(value);
  }

  /** @throws ActionError when there is no such field, JidError */
  needJid(name: string): Jid {
    return Jid.parse(this.need(name));
  }

  number(name: string): number | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : Number(value);
  }

  date(name: string): Date | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : new Date(value);
  }

  /** Whether a field is there and says `yes`. */
  flag(name: string): boolean {
    return this.text(name) === 'yes';
  }

  /** The parts of a value between commas; none when the field is missing or empty. */
  list(name: string): readonly string[] {
    const value = this.text(name) ?? '';
    return value === '' ? [] : value.split(',').map((one) => one.trim());
  }

  /** One of some words. @throws ActionError when it is none of them */
  word<Word extends string>(name: string, words: readonly Word[]): Word | undefined {
    const value = this.text(name);
    const word = words.find((one) => one === value);
    if (value !== undefined && word === undefined) {
      throw new ActionError(`'${name}' of '${this.verb}' is one of ${words.join(', ')}, not '${value}'`);
    }
    return word;
  }

  /** @throws ActionError when the field is missing, or none of the words */
  needWord<Word extends string>(name: string, words: readonly Word[]): Word {
    this.need(name);
    return this.word(name, words) ?? this.#never(name);
  }

  /** The values for a form: of the fields whose names are in its style, with a `#`, or with `field:` before a name that has none. */
  form(): Readonly<Record<string, string>> {
    const names = [...this.#unread].filter((name) => name.includes('#') || name.startsWith('field:'));
    return Object.fromEntries(names.map((name) => [name.replace(/^field:/, ''), this.need(name)]));
  }

  /** @throws ActionError when there are fields that the action does not know */
  allRead(): void {
    if (this.#unread.size === 0) return;
    throw new ActionError(`'${this.verb}' does not know ${[...this.#unread].join(', ')}: '${writeLine(this.#line)}'`);
  }

  #never(name: string): never {
    throw new ActionError(`'${writeLine(this.#line)}' needs the field '${name}'`);
  }
}
