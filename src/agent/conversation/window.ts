/** The context window: as much of a conversation as one request to the model may carry, cut on whole turns. */
import { describeAttachments } from '../media/describe-attachments.js';
import type { PictureReference, PromptMessage } from '../media/pictures.js';
import { estimateTokens } from '../model/tokens.js';
import { NOTES_NOTE, noteOf } from './notes.js';
import type { ReceivedMessage } from './records.js';
import { attributed, SPEAKERS_NOTE, unattributed } from './speaker.js';
import { messageTokens, answerTokens, type Transcript, type Turn } from './transcript.js';

/** For an answer without text (a reaction, a file): providers refuse an empty message, and two of one role in a row. */
const WORDLESS = '(answered without words)';
/** So many pictures go along, the newest; every further one is told of in words. */
const MAX_PICTURES = 4;
/** For a turn of which nothing is left that somebody asked. */
const TAKEN_BACK = '[a message that was taken back]';

/** What a request is made for. */
export interface PromptOptions {
  readonly systemPrompt: string;
  /** How many tokens of the past may come along, by estimate. The system prompt and the questions asked always do. */
  readonly budgetTokens: number;
  /** Whether several people speak here: every line then carries its speaker. */
  readonly isRoom: boolean;
  /** The keys of the questions to be answered; without it, all that are owed an answer. */
  readonly keys?: readonly string[];
  /** The mark by which the model can name a message; it stands in front of it as `[#mark]`, where no text can put one. */
  readonly markOf?: (heard: ReceivedMessage) => string | undefined;
}

/**
 * The messages of a request: the system prompt, the newest closed turns in full, then the questions asked and the context
 * before the last of them. Context is cut line by line, turns only as a whole; where something does not fit, all that is
 * older stays out as well.
 */
export function promptOf(transcript: Transcript, options: PromptOptions): PromptMessage[] {
  const { isRoom: room } = options;
  let left = options.budgetTokens;
  let cut = false;

  /** The messages without the oldest context lines, which do not fit. */
  const within = (heard: readonly ReceivedMessage[]): ReceivedMessage[] => {
    const kept: ReceivedMessage[] = [];
    for (const one of heard.toReversed()) {
      if (one.kind === 'context') {
        cut ||= messageTokens(one) > left;
        if (cut) continue;
        left -= messageTokens(one);
      }
      kept.push(one);
    }
    return kept.toReversed();
  };

  let picturesLeft = MAX_PICTURES;
  let hasNotes = false;
  /** One user message. What the newest of the messages show is found first. */
  const userMessage = (heard: readonly ReceivedMessage[]): PromptMessage => {
    const lines: string[] = [];
    const pictures: PictureReference[] = [];
    for (const one of heard.toReversed()) {
      const files = describeAttachments(one.media ?? [], picturesLeft);
      const notes = [...(one.about === undefined ? [] : [noteOf(one.about)]), ...files.lines];
      hasNotes ||= notes.length > 0;
      picturesLeft -= files.pictures.length;
      pictures.unshift(...files.pictures);
      // Between two people a question needs no name; context always says where it came from.
      const words = room || one.kind === 'context' ? attributed(one.speaker, one.text) : unattributed(one.text);
      const mark = options.markOf?.(one);
      const marked = [mark === undefined ? '' : `[#${mark}]`, words].filter((part) => part !== '').join(' ');
      lines.unshift(...(marked === '' ? [] : [marked]), ...notes);
    }
    return { role: 'user', content: lines.join('\n'), ...(pictures.length === 0 ? {} : { pictures }) };
  };

  const asked = within(openFor(transcript, options.keys));
  // Collected from the newest to the oldest, and turned round at the end.
  const messages: PromptMessage[] = asked.length === 0 ? [] : [userMessage(asked)];
  for (const turn of transcript.turns.toReversed()) {
    const questions = turn.messages.filter((heard) => heard.kind === 'question');
    left -= questions.reduce((sum, question) => sum + messageTokens(question), answerTokens(turn));
    cut ||= left < 0;
    if (cut) break;
    messages.push(...answerOf(turn).toReversed());
    const heard = within(turn.messages);
    messages.push(turn.messages.length === 0 ? { role: 'user', content: TAKEN_BACK } : userMessage(heard));
  }
  const { summary } = transcript;
  if (summary !== undefined && !cut && estimateTokens(summary) <= left)
    messages.push(...asExchange(summary).toReversed());
  const notes = [room ? SPEAKERS_NOTE : '', hasNotes ? NOTES_NOTE : ''];
  const systemPrompt = [options.systemPrompt.trim(), ...notes].filter((part) => part !== '').join('\n\n');
  if (systemPrompt !== '') messages.push({ role: 'system', content: systemPrompt });
  return messages.toReversed();
}

/** What the bot did and said in a turn. A call of a tool and its result are never parted: they are of one turn. */
function answerOf({ steps, answer: said }: Turn): PromptMessage[] {
  const done = steps.flatMap(({ text, calls }): PromptMessage[] => [
    {
      role: 'assistant',
      content: text,
      toolCalls: calls.map(({ id, name, arguments: given }) => ({ id, name, arguments: given })),
    },
    ...calls.map(({ id, result }) => ({ role: 'tool' as const, content: result, toolCallId: id })),
  ]);
  return [...done, { role: 'assistant', content: said === '' ? WORDLESS : said }];
}

/** The summary as something that was said: it is made of the words of strangers, and has no place among the instructions. */
function asExchange(summary: string): PromptMessage[] {
  return [
    { role: 'user', content: 'Summarize our conversation so far.' },
    { role: 'assistant', content: summary },
  ];
}

/** What is open and concerns these questions: they, and the context before the last of them. */
function openFor(transcript: Transcript, keys: readonly string[] | undefined): readonly ReceivedMessage[] {
  if (keys === undefined) return transcript.open;
  const wanted = new Set(keys);
  const last = transcript.open.findLastIndex((heard) => wanted.has(heard.key));
  return transcript.open.slice(0, last + 1).filter((heard) => heard.kind === 'context' || wanted.has(heard.key));
}
