/** One attempt at an OpenAI-compatible endpoint: turns its stream of chunks into an answer, or a `ModelError`. */
import type OpenAI from 'openai';
import { abortReason } from '../../xmpp-core/events.js';
import { AnswerAssembler, type AddedChunk } from './answer-assembler.js';
import { RequestDeadline } from './request-deadline.js';
import type { ModelEvent, ModelRequest } from './model.js';
import { ModelError } from './model.js';
import { readEvents, type ServerEvent } from './event-stream.js';
import { errorIn, readChunk, type Chunk } from './openai-chunk.js';
import { eventFailure, toModelError } from './openai-failure.js';
import { errorFactory, modelName, type ErrorFactory } from './provider.js';
import type { ModelProvider } from './provider.js';
import { requestBody, type OptionalFeature } from './request-body.js';

/** After the finish reason, usage may follow within this time; some servers then leave the connection open. */
const AFTER_FINISH_MS = 1000;

/**
 * Asks once, without retries. Yields text as it arrives, then `done`.
 * @param without features that this server does not support
 * @throws ModelError, or the reason of `request.signal` when that is aborted
 */
export async function* askOnce(
  client: OpenAI,
  provider: ModelProvider,
  request: ModelRequest,
  without: ReadonlySet<OptionalFeature>,
): AsyncGenerator<ModelEvent, void, undefined> {
  const { firstTokenMs, idleMs } = provider;
  const fail = errorFactory(provider, request.messages);
  const deadline = new RequestDeadline(request.signal);
  const answer = new AnswerAssembler();
  let answering = false;
  /** Whether there was an event that is no part of an answer, as heartbeats are. */
  let foreign = false;
  try {
    deadline.signal.throwIfAborted();
    deadline.restart(firstTokenMs, () => fail('timeout', `sent no content within ${firstTokenMs} ms`));
    const body = requestBody(provider, request, without);
    const response = await client.chat.completions.create(body, { signal: deadline.signal }).asResponse();
    answering = true;
    for await (const event of readEvents(response.body ?? [])) {
      if (event.data === '[DONE]') {
        answer.end();
        break;
      }
      const chunk = chunkOf(event, fail);
      if (chunk === undefined) {
        foreign = true;
        continue;
      }
      const { isProgress, ...shown } = answer.add(chunk);
      const events = eventsOf(shown);
      if (events.length > 0) {
        deadline.pause();
        yield* events;
        deadline.signal.throwIfAborted();
      }
      if (isProgress) {
        // Some servers give a finish reason with every piece; only one that comes alone is the end.
        deadline.restart(answer.hasEnded ? AFTER_FINISH_MS : idleMs, () =>
          fail('stalled', `sent no more content for ${idleMs} ms`),
        );
      }
      if (answer.isTooLong) break;
    }
    // An aborted body can end like a complete one.
    deadline.signal.throwIfAborted();
  } catch (error) {
    request.signal.throwIfAborted();
    const failure: unknown = deadline.signal.aborted ? abortReason(deadline.signal) : error;
    // A finish reason that came with a piece says nothing when the server then reports an error.
    const isReported = error instanceof ModelError && error.kind !== 'malformed' && !deadline.signal.aborted;
    const stands = isReported ? answer.hasEnded : answer.isFinished;
    if (!stands) throw failure instanceof ModelError ? failure : toModelError(failure, answering, fail);
  } finally {
    deadline.close();
  }
  yield* eventsOf(answer.endText());
  if (foreign && !answer.hasBegun) throw fail('malformed', 'sent events that are no completion');
  yield answer.finish(modelName(provider), request, fail);
}

function eventsOf({ text, restarts }: Pick<AddedChunk, 'text' | 'restarts'>): readonly ModelEvent[] {
  const events: ModelEvent[] = restarts ? [{ type: 'restart' }] : [];
  return text === '' ? events : [...events, { type: 'text', text }];
}

/** The chunk in an event; `undefined` for one that only keeps the connection alive. @throws ModelError for an error, or what is no chunk */
function chunkOf({ name, data }: ServerEvent, fail: ErrorFactory): Chunk | undefined {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    // A word, such as `ping`; or an error in plain text.
    if (name === 'error') throw eventFailure(data, fail);
    if (!/^[[{"]/.test(data)) return undefined;
    // The parser's message quotes the answer, which must not be logged.
    throw fail('malformed', 'sent an unreadable event');
  }
  const error = errorIn(value, name);
  if (error !== undefined) throw eventFailure(error, fail);
  return readChunk(value);
}
