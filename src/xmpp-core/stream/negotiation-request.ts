/** Requests to the server while a session is negotiated: binding a resource, and opening the session of RFC 3921. */
import { NegotiationError } from '../errors.js';
import { newId } from '../stanza/ids.js';
import { NS_CLIENT } from '../stanza/namespaces.js';
import { readStanzaError } from '../stanza/stanza-error.js';
import { el, type Element } from '../xml/element.js';
import type { Negotiation } from './stream-feature.js';

/**
 * Sends a request, and receives its result.
 * @param purpose for errors: what the server is asked to do, as in `bind the resource`
 * @returns the whole `<iq/>`
 * @throws NegotiationError when the server refuses, or answers with something else
 */
export async function negotiationRequest(
  payload: Element,
  purpose: string,
  { stream, signal }: Negotiation,
): Promise<Element> {
  const id = newId();
  stream.send(el('iq', NS_CLIENT, { type: 'set', id }, payload));
  const answer = await stream.receiveAnswer(signal);
  if (!answer.is('iq', NS_CLIENT) || answer.attr('id') !== id) {
    throw new NegotiationError(
      `${stream.peer} sent <${answer.name}/> instead of the answer to our request to ${purpose}`,
    );
  }
  if (answer.attr('type') === 'error') {
    const error = readStanzaError(answer);
    throw new NegotiationError(`${stream.peer} did not ${purpose}: ${error.message}`, { cause: error });
  }
  return answer;
}
