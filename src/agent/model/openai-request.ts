/** One request to an OpenAI-compatible endpoint, once: its stream of chunks becomes an answer, or a `ModelError`. */
import type OpenAI from 'openai';
import { abortReason } from '../../xmpp-core/events.js';
import { AnswerSoFar } from './answer-so-far.js';
import { ContentWatch } from './content-watch.js';
import type { ModelEvent, ModelRequest } from './model.js';
import { ModelError } from './model.js';
import { readChunk } from './openai-chunk.js';
import { readFailure } from './openai-failure.js';
import { errorsOf, modelName } from './provider.js';
import type { ModelProvider } from './provider.js';
import { bodyOf, type Extra } from './request-body.js';

/** Once the model is done, its usage may follow within this time; some servers leave the connection open after it. */
const AFTER_FINISH_MS = 1000;

/**
 * Asks once. Yields text as it comes, then `done`.
 * Throws `ModelError`, or the reason of `request.signal` when that is aborted.
 * @param without what this server is not to be sent
 */
export async function* askOnce(
  client: OpenAI,
  provider: ModelProvider,
  request: ModelRequest,
  without: ReadonlySet<Extra>,
): AsyncGenerator<ModelEvent, void, undefined> {
  const { firstTokenMs, idleMs } = provider;
  const fail = errorsOf(provider, request.messages);
  const watch = new ContentWatch(request.signal);
  const answer = new AnswerSoFar();
  let answering = false;
  try {
    watch.signal.throwIfAborted();
    watch.allow(firstTokenMs, () => fail('timeout', `sent no content within ${firstTokenMs} ms`));
    const body = bodyOf(provider.model, request, without);
    const stream = await client.chat.completions.create(body, { signal: watch.signal });
    answering = true;
    for await (const event of stream as AsyncIterable<unknown>) {
      const chunk = readChunk(event);
      if (chunk === undefined) {
        // The names only: what it holds may be the answer itself, which is for the chat and not for the log.
        const said = Object.keys(Object(event) as object).join(', ');
        throw fail('malformed', 'sent an event that is not a completion chunk', { said });
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
  yield answer.conclude(modelName(provider), request, fail);
}
