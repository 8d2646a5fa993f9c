/**
 * What models write around an answer, and their servers should take out: tags around thoughts, the marks of chat templates, and the channels of
 * Harmony (gpt-oss).
 */

/** The tags around thoughts. Their case does not matter. */
const TAGS: readonly (readonly [opening: string, closing: string])[] = [
  // DeepSeek, Qwen, GLM and many others
  ['<think>', '</think>'],
  ['<thinking>', '</thinking>'],
  // EXAONE
  ['<thought>', '</thought>'],
  ['<reasoning>', '</reasoning>'],
  // Seed
  ['<seed:think>', '</seed:think>'],
  // Mistral
  ['[THINK]', '[/THINK]'],
  // Kimi
  ['◁think▷', '◁/think▷'],
  // Sky, OpenThinker
  ['<|begin_of_thought|>', '<|end_of_thought|>'],
  // Cohere
  ['<|START_THINKING|>', '<|END_THINKING|>'],
  // MedGemma
  ['<unused94>', '<unused95>'],
];
/** Harmony, when a server drops its marks and leaves the words: `analysisThey greet.assistantfinalHello!` */
const BARE_HARMONY = { opening: 'analysis', closing: 'assistantfinal' };

/** Any mark: `<|…|>`, `<｜…｜>` (DeepSeek), `</s>` (Llama 2, Mistral), `<end_of_turn>` (Gemma). */
const MARK = String.raw`<(?:[|｜][^|｜<>\s]{1,40}[|｜]|\/?(?:s|bos|eos|(?:start|end)_of_turn))>`;
/** A mark that begins the words of somebody, whose role follows. */
const ROLE_MARK = String.raw`<(?:[|｜](?:im_start|start|start_header_id)[|｜]|start_of_turn)>`;
/** A mark that begins a turn without naming a role after it: GLM, Phi, DeepSeek. */
const TURN_MARK = String.raw`<[|｜](?:user|assistant|system|observation)[|｜]>`;
const HEADER = String.raw`<\|channel\|>\s*(\w*)[^<\n]{0,100}(?:<\|constrain\|>\s*\w{0,20}\s*)?<\|message\|>`;

const patternOf = (tag: string): string => tag.replaceAll(/[|[\]]/g, String.raw`\$&`);
const lineOf = (tags: readonly string[]): RegExp =>
  new RegExp(String.raw`^[ \t]{0,8}(?:${tags.map(patternOf).join('|')})[ \t]{0,8}\r?\n?$`, 'i');

/** Kinds of thoughts: what begins them, at the start of a text, and what ends them. */
export const THOUGHTS: readonly { readonly opening: RegExp; readonly closing: RegExp }[] = [
  ...TAGS.map(([opening, closing]) => ({
    opening: new RegExp(`^${patternOf(opening)}`, 'i'),
    closing: new RegExp(patternOf(closing), 'i'),
  })),
  // A sentence does not begin like this.
  { opening: new RegExp(`^${BARE_HARMONY.opening}(?=[A-Z"'(])`), closing: new RegExp(BARE_HARMONY.closing) },
];
/** A line with nothing but an opening tag. */
export const OPENING_LINE = lineOf(TAGS.map(([opening]) => opening));
/** A line with nothing but a closing tag. */
export const CLOSING_LINE = lineOf(TAGS.map(([, closing]) => closing));
/** A part of a line that can become one of the two. */
export const TAG_LINE_BEGUN = /^[ \t]{0,8}(?:$|[<[◁]\S{0,24}[ \t]{0,8}\r?$)/;
/** No closing tag is longer. */
export const LONGEST_CLOSING = Math.max(...TAGS.map(([, closing]) => closing.length), BARE_HARMONY.closing.length);

/** The header of a channel, with the channel's name; it is at most `LONGEST_HEADER` characters long. */
export const CHANNEL_HEADER = new RegExp(`^${HEADER}`);
export const LONGEST_HEADER = 200;
/** A header that lacks the mark at its end. */
export const BROKEN_HEADER = /^<\|channel\|>\s*(\w*)/;
/** What ends the text of a channel: one of these marks, or the next header. */
export const CHANNEL_END = /<\|(?:end|return|call)\|>|(?=<\|(?:start|channel)\|>)/;

/** The mark of a message in the prompt, as in `[#k3fz]`, or a mark of a template, at the start of a text. */
export const MARK_AT_START = new RegExp(String.raw`^(?:\[#\w{4}\]:?|${ROLE_MARK}\s?(?:assistant|model)?|${MARK})`);
/** What can become a mark or tag at the start of a text. */
const START_BEGUN = new RegExp(
  String.raw`^(?:\[(?:#\w{0,4}\]?)?|<[|｜/]?[^|｜<>\s]{0,40}[|｜]?|${ROLE_MARK}\s?[a-z]{0,9})$`,
);
const OTHER_OPENINGS = [...TAGS.map(([opening]) => opening), BARE_HARMONY.opening];

/** Whether more text is needed to see if a text starts with a mark or tag. */
export function mayStartWithMark(text: string): boolean {
  return START_BEGUN.test(text) || OTHER_OPENINGS.some((opening) => opening.startsWith(text));
}

/** A header of the channel for people, or a tag that no text is about: what comes before it were thoughts. */
export const ANSWER_STARTS = new RegExp(`(?:${HEADER.replace(String.raw`(\w*)`, 'final')}|◁/think▷)`);
/** The end of a turn and the beginning of another, which the model makes up. */
export const NEXT_TURN = new RegExp(String.raw`${MARK}\s{0,20}(?:${ROLE_MARK}|${TURN_MARK})`);
/** No match is longer, except for the text of a header. */
export const LONGEST_MARKS = 120;

const MARK_AT_END = new RegExp(String.raw`(?:${MARK}|(?:${ROLE_MARK}|<\|channel\|>)[a-z]{0,12})$`);
/** The beginning of a mark, or half a character. */
const MARK_BEGUN = /(?:<[|｜/]?[^|｜<>\s]{0,40}[|｜]?|◁\/?[a-z]{0,5}|[\uD800-\uDBFF])$/;

/**
 * Where the marks begin that a text ends with. White space between and after them belongs to them.
 * @param isEnd whether nothing follows; otherwise the beginning of a mark counts as one
 */
export function marksAtEnd(text: string, isEnd: boolean): number {
  let from = text.length - (isEnd ? 0 : (MARK_BEGUN.exec(text.slice(-LONGEST_MARKS))?.[0].length ?? 0));
  for (;;) {
    const before = text.slice(0, from).trimEnd();
    const mark = MARK_AT_END.exec(before.slice(-LONGEST_MARKS));
    if (mark === null) return from;
    from = before.length - mark[0].length;
  }
}
