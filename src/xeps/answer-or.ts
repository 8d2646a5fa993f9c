/** For requests to entities that need not support them. */
import { StanzaError, TimeoutError } from '../xmpp-core/errors.js';

/** The answer, or `fallback` if the entity refuses or does not answer in time. @throws any other error */
export async function answerOr<Answer, Fallback>(
  answer: Promise<Answer>,
  fallback: Fallback,
): Promise<Answer | Fallback> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof StanzaError || error instanceof TimeoutError) return fallback;
    throw error;
  }
}
