/** For questions where no answer is an answer as well. */
import { StanzaError, TimeoutError } from '../xmpp-core/errors.js';

/** What an entity answers, or `otherwise` where it refuses or does not answer in time. @throws what else goes wrong */
export async function answerOr<Answer, Otherwise>(
  answer: Promise<Answer>,
  otherwise: Otherwise,
): Promise<Answer | Otherwise> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof StanzaError || error instanceof TimeoutError) return otherwise;
    throw error;
  }
}
