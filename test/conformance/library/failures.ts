/** Errors as fields: what kind of thing failed, and the condition that the protocol has for it. */
import {
  ConnectError,
  SaslError,
  StanzaError,
  StreamError,
  TimeoutError,
  TlsError,
} from '../../../src/xmpp-core/errors.js';
import { ActionError } from './asked.js';
import type { Fields } from './extension.js';

/**
 * Why something that was asked for failed, or a connection ended.
 * @param otherwise the kind when nothing of XMPP was said about it
 */
export function failure(error: unknown, otherwise: 'local' | 'connection'): Fields {
  for (const one of causes(error)) {
    const fields = fieldsOf(one);
    if (fields !== undefined) return fields;
  }
  return { kind: otherwise };
}

function fieldsOf(error: unknown): Fields | undefined {
  if (error instanceof StanzaError) {
    const { condition, type, text, by, details } = error;
    return { condition, type, by, text, application: details.application?.name };
  }
  if (error instanceof StreamError) return { kind: 'stream', condition: error.condition, by: error.by };
  if (error instanceof SaslError) return { kind: 'sasl', condition: error.condition };
  if (error instanceof TlsError) return { kind: 'tls' };
  if (error instanceof TimeoutError) return { kind: 'timeout' };
  if (error instanceof ActionError) return { kind: 'scenario', text: error.message };
  return undefined;
}

/** The error, and what it came from; of a server that could not be reached, why the last address failed. */
function* causes(error: unknown): Generator {
  let current = error;
  for (let depth = 0; depth < 8 && current !== undefined; depth += 1) {
    yield current;
    if (current instanceof ConnectError) current = current.attempts.at(-1)?.error;
    else current = current instanceof Error ? current.cause : undefined;
  }
}
