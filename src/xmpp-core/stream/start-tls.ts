/** STARTTLS (RFC 6120 §5). It is mandatory: nothing is sent to a server that does not offer it (RFC 7590 §3.1). */
import { TlsError } from '../errors.js';
import { NS_TLS } from '../stanza/namespaces.js';
import { el, type Element } from '../xml/element.js';
import type { StreamFeature } from './stream-feature.js';
import type { XmlStream } from './xml-stream.js';

/** The stream feature STARTTLS. */
export const startTls: StreamFeature = {
  name: 'starttls',
  order: 100,
  offered: (features, { stream }) => offeredTls(features, stream),
  async negotiate(_offer, { stream, signal }) {
    await acceptTls(stream, signal);
    return 'restart';
  },
};

/**
 * The server's offer of STARTTLS; `undefined` if TLS is already active.
 * @throws TlsError when the server does not offer it
 */
export function offeredTls(features: Element, stream: XmlStream): Element | undefined {
  if (stream.security !== undefined) return undefined;
  const offer = features.child('starttls', NS_TLS);
  if (offer !== undefined) return offer;
  throw new TlsError(`${stream.peer} offers no StartTLS, so no password was sent`, { problem: 'not-offered' });
}

/** Accepts the offer and starts TLS; the stream must then be opened again. @throws TlsError */
export async function acceptTls(stream: XmlStream, signal: AbortSignal): Promise<void> {
  stream.send(el('starttls', NS_TLS));
  const answer = await stream.receive(signal);
  if (!answer.is('proceed', NS_TLS)) throw new TlsError(`${stream.peer} refused to start TLS`, { problem: 'refused' });
  await stream.startTls(signal);
}
