/** A stream to a target, whatever kind of target it is: the one place that knows which framing goes with which transport. */
import type { Jid } from '../jid/jid.js';
import type { Target } from '../transport/targets.js';
import { connectTcp } from '../transport/tcp.js';
import type { ClientCertificate } from '../transport/tls.js';
import { connectWebSocket } from '../transport/websocket.js';
import { DEFAULT_LIMITS, type XmlLimits } from '../xml/limits.js';
import { documentFraming, messageFraming } from './framing.js';
import { XmlStream } from './xml-stream.js';

export interface ConnectStreamOptions {
  /** The account, bare: its domain is what a server is asked for, and what the certificate of a TCP target must be for. */
  readonly account: Jid;
  /** A PEM bundle to trust beside the system's. */
  readonly ca?: string | undefined;
  /** Shown in the TLS handshake of a TCP target to a server that asks. */
  readonly certificate?: ClientCertificate | undefined;
  readonly limits?: Partial<XmlLimits> | undefined;
}

/**
 * Connects; the stream is yet to be opened.
 * @throws what `connectTcp` and `connectWebSocket` throw
 */
export async function connectStream(
  target: Target,
  { account, ca, certificate, limits = {} }: ConnectStreamOptions,
  signal: AbortSignal,
): Promise<XmlStream> {
  // Who has no account yet is not to name one (RFC 6120 §4.7.1).
  const from = account.localpart === '' ? undefined : account.toString();
  const address = { domain: account.domainpart, from };
  if ('url' in target) {
    const { stanzaBytes } = { ...DEFAULT_LIMITS, ...limits };
    const transport = await connectWebSocket(target, { ca, maxMessageBytes: stanzaBytes }, signal);
    return new XmlStream(transport, address, limits, messageFraming);
  }
  const transport = await connectTcp(target, { domain: account.domainpart, ca, certificate }, signal);
  return new XmlStream(transport, address, limits, documentFraming);
}
