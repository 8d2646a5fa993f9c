/** Two models as one: the second is asked when the first fails. */
import type { Model, ModelEvent, ModelRequest } from './model.js';
import { ModelError } from './model.js';

/**
 * A model that asks `first`, and `second` if that failed before any text. What `first` declined to answer stays declined: that is an
 * answer, not a failure.
 */
export function withFallback(first: Model, second: Model): Model {
  return {
    name: first.name,
    async *answer(request: ModelRequest): AsyncGenerator<ModelEvent, void, undefined> {
      const failure = yield* untilFailure(first, request);
      if (failure === undefined) return;
      try {
        for await (const event of second.answer(request)) {
          yield event.type === 'done' ? { ...event, insteadOf: failure } : event;
        }
      } catch (error) {
        if (!(error instanceof ModelError)) throw error;
        throw new ModelError(error.kind, `${failure.message}; then the fallback ${error.message}`, error);
      }
    },
  };
}

/** The answer of `model`; the failure is returned if it came before any text, else thrown. */
async function* untilFailure(
  model: Model,
  request: ModelRequest,
): AsyncGenerator<ModelEvent, ModelError | undefined, undefined> {
  let spoken = false;
  try {
    for await (const event of model.answer(request)) {
      spoken ||= event.type === 'text';
      yield event;
    }
    return undefined;
  } catch (error) {
    if (spoken || request.signal.aborted || !(error instanceof ModelError) || error.kind === 'refused') throw error;
    return error;
  }
}
