/** StartTLS (RFC 6120 §5), which is never left out: a server that does not offer it is not spoken to (RFC 7590 §3.1). */
import { TlsError } from '../errors.js';
import { NS_TLS } from '../stanza/namespaces.js';
import { el } from '../xml/element.js';
import type { StreamFeature } from './stream-feature.js';

export const startTls: StreamFeature = {
  name: 'starttls',
  order: 100,

  offered(features, { stream }) {
    if (stream.security !== undefined) return undefined;
    const offer = features.child('starttls', NS_TLS);
    if (offer === undefined) {
      throw new TlsError(
        `${stream.peer} offers no StartTLS, so nothing was sent to it; if it wants TLS from the first byte, set direct_tls`,
        {
          permanent: true,
        },
      );
    }
    return offer;
  },

  async negotiate(_offer, { stream, signal }) {
    stream.send(el('starttls', NS_TLS));
    const answer = await stream.receive(signal);
    if (!answer.is('proceed', NS_TLS)) throw new TlsError(`${stream.peer} refused to start TLS`, { permanent: false });
    await stream.startTls(signal);
    return 'restart';
  },
};
