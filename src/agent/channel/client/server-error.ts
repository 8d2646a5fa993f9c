/** Requests of the bot's own that the server did not fulfil. */
import type { Client } from '../../../xmpp-core/client.js';
import { errorText, type Log } from '../../log.js';

/** Logs that the server refused a request or did not answer. When the connection was lost instead, the next session asks again. */
export function logServerError(log: Log, client: Client, error: unknown): void {
  if (client.state === 'online') log('warn', 'error', { kind: 'server', message: errorText(error) });
}
