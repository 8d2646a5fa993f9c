/** A model with a fallback. */
import type { Model, ModelEvent, ModelRequest } from './model.js';
import { ModelError } from './model.js';

/**
 * A model that asks `first`, and `second` if that fails before any text. A refusal by `first` stands: that is an answer, not a
 * failure.
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

/** Yields the answer of `model`. Returns a failure that comes before any text; throws a later one. */
async function* untilFailure(
  model: Model,
  request: ModelRequest,
): AsyncGenerator<ModelEvent, ModelError | undefined, undefined> {
  let hasText = false;
  try {
    for await (const event of model.answer(request)) {
      hasText ||= event.type === 'text';
      yield event;
    }
    return undefined;
  } catch (error) {
    if (hasText || request.signal.aborted || !(error instanceof ModelError) || error.kind === 'refused') throw error;
    return error;
  }
}
