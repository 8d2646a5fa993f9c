/** One request to an OpenAI-compatible endpoint, once: its stream of chunks becomes an answer, or a `ModelError`. */
import type OpenAI from 'openai';
import { abortReason } from '../../xmpp-core/events.js';
import { AnswerSoFar } from './answer-so-far.js';
import { ContentWatch } from './content-watch.js';
import type { ChatMessage, ModelEvent, ModelImage, ModelRequest, ToolCall } from './model.js';
import { ModelError } from './model.js';
import { readChunk } from './openai-chunk.js';
import { readFailure } from './openai-failure.js';
import { errorsOf, modelName } from './provider.js';
import type { ModelProvider } from './provider.js';

/** Once the model is done, its usage may follow within this time; some servers leave the connection open after it. */
const AFTER_FINISH_MS = 1000;

type Body = OpenAI.ChatCompletionCreateParamsStreaming;

/**
 * Asks once. Yields text as it comes, then `done`.
 * Throws `ModelError`, or the reason of `request.signal` when that is aborted.
 * @param includeUsage whether to ask for `usage`; a few servers refuse a request that does
 */
export async function* askOnce(
  client: OpenAI,
  provider: ModelProvider,
  request: ModelRequest,
  includeUsage: boolean,
): AsyncGenerator<ModelEvent, void, undefined> {
  const { firstTokenMs, idleMs } = provider;
  const fail = errorsOf(provider);
  const watch = new ContentWatch(request.signal);
  const answer = new AnswerSoFar();
  let answering = false;
  try {
    watch.signal.throwIfAborted();
    watch.allow(firstTokenMs, () => fail('timeout', `sent no content within ${firstTokenMs} ms`));
    const body = bodyOf(provider.model, request.messages, includeUsage);
    const stream = await client.chat.completions.create(body, { signal: watch.signal });
    answering = true;
    for await (const event of stream as AsyncIterable<unknown>) {
      const chunk = readChunk(event);
      if (chunk === undefined) {
        throw fail('malformed', 'sent an event that is no chunk of an answer', { said: JSON.stringify(event) });
      }
      const forward = answer.add(chunk);
      if (chunk.text !== '') {
        watch.pause();
        yield { type: 'text', text: chunk.text };
        watch.signal.throwIfAborted();
      }
      if (forward) {
        watch.allow(answer.finished ? AFTER_FINISH_MS : idleMs, () =>
          fail('stalled', `sent no more content for ${idleMs} ms`),
        );
      }
      if (answer.overlong) break;
    }
    // An aborted stream of the package ends like one that is complete.
    watch.signal.throwIfAborted();
  } catch (error) {
    request.signal.throwIfAborted();
    const failure: unknown = watch.signal.aborted ? abortReason(watch.signal) : error;
    if (!answer.finished) throw failure instanceof ModelError ? failure : readFailure(failure, answering, fail);
  } finally {
    watch.close();
  }
  yield answer.conclude(modelName(provider), request.messages, fail);
}

function bodyOf(model: string, messages: readonly ChatMessage[], includeUsage: boolean): Body {
  return {
    model,
    messages: messages.map(messageOf),
    stream: true,
    ...(includeUsage && { stream_options: { include_usage: true } }),
  };
}

function messageOf(message: ChatMessage): Body['messages'][number] {
  const { role, content, images = [], toolCalls = [], toolCallId = '' } = message;
  const spoken = apiName(message.name);
  const named = spoken === '' ? {} : { name: spoken };
  if (role === 'tool') return { role, content, tool_call_id: toolCallId };
  if (role === 'user' && images.length > 0) return { role, content: partsOf(content, images), ...named };
  if (role !== 'assistant' || toolCalls.length === 0) return { role, content, ...named };
  return { role, content: content === '' ? null : content, tool_calls: toolCalls.map(toolCallOf), ...named };
}

/** A name in the alphabet that the API accepts; empty when nothing of it is left. */
function apiName(name = ''): string {
  return name
    .normalize('NFKD')
    .replace(/[^\w-]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .slice(0, 64);
}

function toolCallOf({ id, name, arguments: given }: ToolCall): OpenAI.ChatCompletionMessageToolCall {
  return { id, type: 'function', function: { name, arguments: given } };
}

function partsOf(text: string, images: readonly ModelImage[]): OpenAI.ChatCompletionContentPart[] {
  return [
    { type: 'text', text },
    ...images.map(({ mediaType, base64 }) => ({
      type: 'image_url' as const,
      image_url: { url: `data:${mediaType};base64,${base64}` },
    })),
  ];
}
