/** Decides whether a text in a room addresses the bot, and which part of it the model sees. */
import { UNSPACED, WORD, wordBoundaries } from '../../text/word-boundaries.js';

/** What the decision needs besides the text. */
export interface AddressingFacts {
  /** The bot's names: its nick in the room, its resource, the localpart of its JID, its bare JID. */
  readonly names: Iterable<string>;
  /** The nicks of all other occupants. A name that one of them has does not address the bot. */
  readonly otherNicks: Iterable<string>;
  /** True for a reply (XEP-0461) to a message of the bot, and for a reference (XEP-0372) to it. */
  readonly pointedAt: boolean;
}

/** The result. */
export interface Addressing {
  readonly addressed: boolean;
  /** What the model sees: the text without a leading address (`bot: do it` → `do it`). */
  readonly text: string;
}

/**
 * Decides whether a room's message addresses the bot. A name counts as a whole word, without regard to case, with or without `@` before
 * it; in scripts without spaces, words are found with Unicode's dictionaries. A name inside a file name, an address or a compound
 * (`bot.txt`, `bot@elsewhere.org`, `bot-2`) or in a quoted line does not count. Linear in the length of the text.
 */
export function readAddressing(text: string, { names, otherNicks, pointedAt }: AddressingFacts): Addressing {
  const others = [...otherNicks];
  const taken = new Set(others.map(fold));
  const own = [...new Set(names)].filter((name) => name.trim() !== '' && !taken.has(fold(name)));
  const unquoted = withoutQuotes(text);
  const searched = withoutLongerNicks(unquoted, own, others);
  const addressed = pointedAt || own.some((name) => wholeWords(searched, name).length > 0);
  const start = /\S/.exec(unquoted)?.index ?? 0;
  return { addressed, text: withoutLeadingAddress(text, searched, start, own) };
}

/** Folds case to compare names. Through upper case, so that both sigmas are equal, and ß equals ss. */
function fold(name: string): string {
  return name.normalize('NFC').toUpperCase().toLowerCase();
}

/** `>` and a space, as XEP-0393 §5.1.3 and the fallback of XEP-0461 quote. Without the space it may be an emoticon: `>_<`. */
const QUOTED_LINE = /^>+(?:[^\S\n].*)?$/gm;

/** Quotes do not count. They are replaced by spaces, here and below, so that offsets stay valid. */
function withoutQuotes(text: string): string {
  return text.replace(QUOTED_LINE, (line) => ' '.repeat(line.length));
}

/** If another occupant is called `Bot Two`, that name is not a mention of `Bot`. */
function withoutLongerNicks(text: string, own: readonly string[], others: readonly string[]): string {
  const names = own.map(fold);
  const longer = others.filter((nick) => names.some((name) => fold(nick).includes(name)));
  return longer.reduce((rest, nick) => blanked(rest, wholeWords(rest, nick)), text);
}

function blanked(text: string, ranges: readonly Range[]): string {
  let out = '';
  for (const { start, end } of ranges) out += text.slice(out.length, start) + ' '.repeat(end - start);
  return out + text.slice(out.length);
}

/** Removes only a clear address: `@bot do it`, `bot: do it`. In `bot is slow today` the name is part of the sentence. */
function withoutLeadingAddress(text: string, searched: string, start: number, names: readonly string[]): string {
  for (const name of names) {
    const pattern = namePattern(name);
    const address = new RegExp(`@${pattern}(?:${ADDRESS_MARK}|(?=\\s))|${pattern}${ADDRESS_MARK}`, 'iuy');
    address.lastIndex = start;
    if (!address.test(searched)) continue;
    const rest = text.slice(address.lastIndex).trimStart();
    // A bare "@bot" stays as it is: the model needs something to answer.
    if (rest !== '') return text.slice(0, start).trimStart() + rest;
  }
  return text;
}

/** The punctuation after an address, in several scripts. */
const ADDRESS_MARK = '[:,：，、،]';

/** A regular expression for a name, composed or decomposed, with any run of whitespace for its spaces. */
function namePattern(name: string): string {
  const forms = new Set([name, name.normalize('NFC'), name.normalize('NFD')]);
  const escaped = [...forms].map((form) => form.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`));
  return `(?:${escaped.join('|').replace(/\s+/g, String.raw`\s+`)})`;
}

/** Characters that join two words: `bot-2`, `bot.txt`, `a/bot`, `me+bot@example.com`, `x=bot`, and the joiners of U+200C/D. */
const JOINT = String.raw`\-./@+=&\u200C\u200D`;
const ENDS_ATTACHED = new RegExp(`[${WORD}][${JOINT}]?$`, 'u');
const STARTS_ATTACHED = new RegExp(`^[${JOINT}]?[${WORD}]`, 'u');
const ENDS_IN_WORD = new RegExp(`[${WORD}]$`, 'u');
const STARTS_WORD = new RegExp(`^[${WORD}]`, 'u');
const ENDS_UNSPACED = new RegExp(`[${UNSPACED}]$`, 'u');
const STARTS_UNSPACED = new RegExp(`^[${UNSPACED}]`, 'u');

interface Range {
  readonly start: number;
  readonly end: number;
}

/** The ranges where the name is a whole word. */
function wholeWords(text: string, name: string): Range[] {
  const found: Range[] = [];
  let dictionary: Set<number> | undefined;
  const isBetweenWords = (offset: number): boolean => {
    dictionary ??= new Set(wordBoundaries(text));
    return dictionary.has(offset);
  };
  for (const match of text.matchAll(new RegExp(namePattern(name), 'giu'))) {
    const start = match.index;
    const end = start + match[0].length;
    const startsWord = !ENDS_ATTACHED.test(before(text, start)) || (isUnspaced(text, start) && isBetweenWords(start));
    const endsWord = !STARTS_ATTACHED.test(after(text, end)) || (isUnspaced(text, end) && isBetweenWords(end));
    if (startsWord && endsWord) found.push({ start, end });
  }
  return found;
}

/** Whether two letters are adjacent here, one of them from a script without spaces. */
function isUnspaced(text: string, offset: number): boolean {
  const left = before(text, offset);
  const right = after(text, offset);
  if (!ENDS_IN_WORD.test(left) || !STARTS_WORD.test(right)) return false;
  return ENDS_UNSPACED.test(left) || STARTS_UNSPACED.test(right);
}

/** Enough of the text for one character of two UTF-16 units and a joining character. */
function before(text: string, offset: number): string {
  return text.slice(Math.max(0, offset - 3), offset);
}

function after(text: string, offset: number): string {
  return text.slice(offset, offset + 3);
}
