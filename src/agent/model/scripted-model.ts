/** A model without a provider, for the demo and for tests. Its answers say that it is scripted. */
import { delay } from '../../xmpp-core/deadline.js';
import type { ChatMessage, Model, ModelEvent, ModelRequest } from './model.js';
import { estimateTokens } from './tokens.js';

const NAME = 'scripted';
/** How many characters of a message are quoted back. */
const MAX_QUOTED = 200;

/**
 * Creates a model with scripted answers: the same question after the same messages gets the same answer, word by word.
 * @param paceMs the delay before each word, in milliseconds; about 30 looks natural in the demo. Default: 0
 */
export function createScriptedModel({ paceMs = 0 }: { readonly paceMs?: number } = {}): Model {
  return {
    name: NAME,
    async *answer({ messages, signal }: ModelRequest): AsyncGenerator<ModelEvent, void, undefined> {
      const answer = compose(messages);
      for (const word of answer.match(/\S+\s*/g) ?? []) {
        signal.throwIfAborted();
        if (paceMs > 0) await delay(paceMs, signal);
        yield { type: 'text', text: word };
      }
      signal.throwIfAborted();
      const promptTokens = messages.reduce((sum, { content }) => sum + estimateTokens(content), 0);
      const usage = { promptTokens, completionTokens: estimateTokens(answer), estimated: true };
      yield { type: 'done', model: NAME, finishReason: 'stop', usage };
    },
  };
}

function compose(messages: readonly ChatMessage[]): string {
  // The marks in front of messages are for tools and not part of their text.
  const texts = messages
    .filter(({ role }) => role === 'user')
    .map(({ content }) => content.replace(/^\[#\w+\] /, '').trim());
  const last = texts.at(-1) ?? '';
  const before = texts.at(-2);
  // In a room the speaker may precede the text.
  if (/^(?:[^:]{1,64}: )?(?:hello|hi|hey|good (?:morning|evening|day))\b/i.test(last)) {
    return 'Hello! I am a scripted model: no real one is configured, so I cannot think, but everything around me is real. Say something, or type /help to see what this bot can do.';
  }
  if (last === '')
    return 'You said nothing. I am a scripted model, and patient. Type /help to see what this bot can do.';
  const memory = before === undefined ? '' : ` Before that you said "${shorten(before)}", so I do remember.`;
  const remark = last.endsWith('?')
    ? 'A real model would answer that.'
    : 'A real model would have more to say to that.';
  return `You said: "${shorten(last)}".${memory} ${remark} I am only a scripted one; type /help to see what this bot can do.`;
}

function shorten(text: string): string {
  return text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED).replace(/\p{Cs}$/u, '')}…` : text;
}
