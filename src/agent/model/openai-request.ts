/** One attempt at an OpenAI-compatible endpoint: turns its stream of chunks into an answer, or a `ModelError`. */
import type OpenAI from 'openai';
import { abortReason } from '../../xmpp-core/events.js';
import { AnswerAssembler } from './answer-assembler.js';
import { RequestDeadline } from './request-deadline.js';
import type { ModelEvent, ModelRequest } from './model.js';
import { ModelError } from './model.js';
import { readChunk } from './openai-chunk.js';
import { toModelError } from './openai-failure.js';
import { errorFactory, modelName } from './provider.js';
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
  try {
    deadline.signal.throwIfAborted();
    deadline.restart(firstTokenMs, () => fail('timeout', `sent no content within ${firstTokenMs} ms`));
    const body = requestBody(provider.model, request, without);
    const stream = await client.chat.completions.create(body, { signal: deadline.signal });
    answering = true;
    for await (const event of stream as AsyncIterable<unknown>) {
      const chunk = readChunk(event);
      if (chunk === undefined) {
        // Only the names of the fields: their content may be the answer, which must not be logged.
        const said = Object.keys(Object(event) as object).join(', ');
        throw fail('malformed', 'sent an event that is not a completion chunk', { said });
      }
      const isProgress = answer.add(chunk);
      if (chunk.text !== '') {
        deadline.pause();
        yield { type: 'text', text: chunk.text };
        deadline.signal.throwIfAborted();
      }
      if (isProgress) {
        deadline.restart(answer.isFinished ? AFTER_FINISH_MS : idleMs, () =>
          fail('stalled', `sent no more content for ${idleMs} ms`),
        );
      }
      if (answer.isTooLong) break;
    }
    // The package ends an aborted stream like a complete one.
    deadline.signal.throwIfAborted();
  } catch (error) {
    request.signal.throwIfAborted();
    const failure: unknown = deadline.signal.aborted ? abortReason(deadline.signal) : error;
    if (!answer.isFinished) throw failure instanceof ModelError ? failure : toModelError(failure, answering, fail);
  } finally {
    deadline.close();
  }
  yield answer.finish(modelName(provider), request, fail);
}
