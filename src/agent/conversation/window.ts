/** The context window: the part of a conversation that fits one request to the model, cut between turns. */
import { describeAttachments } from '../media/describe-attachments.js';
import type { PictureReference, PromptMessage } from '../media/pictures.js';
import { estimateTokens } from '../model/tokens.js';
import { NOTES_NOTE, noteOf } from './notes.js';
import type { ReceivedMessage } from './records.js';
import { attributed, SPEAKERS_NOTE, unattributed } from './speaker.js';
import { messageTokens, answerTokens, type Transcript, type Turn } from './transcript.js';

/** Stands for an answer without text (a reaction, a file): providers reject empty messages, and two of one role in a row. */
const WORDLESS = '(answered without words)';
/** How many pictures a request carries, the newest ones; others are described in words. */
const MAX_PICTURES = 4;
/** Stands for a turn whose messages were all retracted. */
const RETRACTED = '[a message that was taken back]';

/** Options of `promptOf`. */
export interface PromptOptions {
  readonly systemPrompt: string;
  /** The estimated tokens of history to include. The system prompt and the questions are always included. */
  readonly budgetTokens: number;
  /** Whether several people speak: then every message names its speaker. */
  readonly isRoom: boolean;
  /** The keys of the questions to answer. Default: all unanswered ones. */
  readonly keys?: readonly string[];
  /** The mark by which the model can refer to a message; shown in front of it as `[#mark]`, where no text can forge one. */
  readonly markOf?: (message: ReceivedMessage) => string | undefined;
}

/**
 * The messages of a request: the system prompt, the newest closed turns in full, then the questions and the context before
 * the last of them. Context is cut message by message, turns only as a whole; once something does not fit, everything older
 * is left out too.
 */
export function promptOf(transcript: Transcript, options: PromptOptions): PromptMessage[] {
  const { isRoom } = options;
  let left = options.budgetTokens;
  let cut = false;

  /** Leaves out the oldest context messages, which do not fit. */
  const withinBudget = (received: readonly ReceivedMessage[]): ReceivedMessage[] => {
    const kept: ReceivedMessage[] = [];
    for (const one of received.toReversed()) {
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
  /** Joins messages into one user message. Newest first, so that the newest pictures are shown. */
  const userMessage = (received: readonly ReceivedMessage[]): PromptMessage => {
    const lines: string[] = [];
    const pictures: PictureReference[] = [];
    for (const one of received.toReversed()) {
      const files = describeAttachments(one.media ?? [], picturesLeft);
      const notes = [...(one.about === undefined ? [] : [noteOf(one.about)]), ...files.lines];
      hasNotes ||= notes.length > 0;
      picturesLeft -= files.pictures.length;
      pictures.unshift(...files.pictures);
      // Between two people a question needs no name; context always names its speaker.
      const words = isRoom || one.kind === 'context' ? attributed(one.speaker, one.text) : unattributed(one.text);
      const mark = options.markOf?.(one);
      const marked = [mark === undefined ? '' : `[#${mark}]`, words].filter((part) => part !== '').join(' ');
      lines.unshift(...(marked === '' ? [] : [marked]), ...notes);
    }
    return { role: 'user', content: lines.join('\n'), ...(pictures.length === 0 ? {} : { pictures }) };
  };

  const asked = withinBudget(openFor(transcript, options.keys));
  // Collected newest first, reversed at the end.
  const messages: PromptMessage[] = asked.length === 0 ? [] : [userMessage(asked)];
  for (const turn of transcript.turns.toReversed()) {
    const questions = turn.messages.filter(({ kind }) => kind === 'question');
    left -= questions.reduce((sum, question) => sum + messageTokens(question), answerTokens(turn));
    cut ||= left < 0;
    if (cut) break;
    messages.push(...answerOf(turn).toReversed());
    const shown = withinBudget(turn.messages);
    messages.push(turn.messages.length === 0 ? { role: 'user', content: RETRACTED } : userMessage(shown));
  }
  const { summary } = transcript;
  if (summary !== undefined && !cut && estimateTokens(summary) <= left)
    messages.push(...asExchange(summary).toReversed());
  const notes = [isRoom ? SPEAKERS_NOTE : '', hasNotes ? NOTES_NOTE : ''];
  const systemPrompt = [options.systemPrompt.trim(), ...notes].filter((part) => part !== '').join('\n\n');
  if (systemPrompt !== '') messages.push({ role: 'system', content: systemPrompt });
  return messages.toReversed();
}

/** The tool calls and the answer of a turn. Calls and results stay together, because a turn is never cut. */
function answerOf({ steps, answer }: Turn): PromptMessage[] {
  const calls = steps.flatMap(({ text, calls, echo }): PromptMessage[] => [
    {
      role: 'assistant',
      content: text,
      toolCalls: calls.map(({ id, name, arguments: given }) => ({ id, name, arguments: given })),
      ...(echo === undefined ? {} : { echo }),
    },
    ...calls.map(({ id, result }) => ({ role: 'tool' as const, content: result, toolCallId: id })),
  ]);
  return [...calls, { role: 'assistant', content: answer === '' ? WORDLESS : answer }];
}

/** The summary as an exchange of messages: it contains text of strangers and must not become part of the instructions. */
function asExchange(summary: string): PromptMessage[] {
  return [
    { role: 'user', content: 'Summarize our conversation so far.' },
    { role: 'assistant', content: summary },
  ];
}

/** The open messages for these questions: the questions, and the context before the last of them. */
function openFor(transcript: Transcript, keys: readonly string[] | undefined): readonly ReceivedMessage[] {
  if (keys === undefined) return transcript.open;
  const asked = new Set(keys);
  const last = transcript.open.findLastIndex(({ key }) => asked.has(key));
  return transcript.open.slice(0, last + 1).filter(({ kind, key }) => kind === 'context' || asked.has(key));
}
