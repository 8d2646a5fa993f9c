/** Opens the connection for a stream. This is the only place that pairs transports with framings. */
import type { Jid } from '../jid/jid.js';
import type { Target } from '../transport/targets.js';
import { connectTcp } from '../transport/tcp.js';
import type { ClientCertificate } from '../transport/tls.js';
import { connectWebSocket } from '../transport/websocket.js';
import { DEFAULT_LIMITS, type XmlLimits } from '../xml/limits.js';
import { documentFraming, messageFraming } from './framing.js';
import { XmlStream } from './xml-stream.js';

/** Options of `connectStream`. */
export interface ConnectStreamOptions {
  /** The bare JID of the account. The stream is addressed to its domain, and the certificate of a TCP target must be for it. */
  readonly account: Jid;
  /** A PEM bundle of authorities to trust in addition to the system's. */
  readonly ca?: string | undefined;
  /** Presented to a TCP target that requests a client certificate. */
  readonly certificate?: ClientCertificate | undefined;
  /** Called when the first bytes of the stream arrive from a TCP target. */
  readonly onAnswer?: (() => void) | undefined;
  readonly limits?: Partial<XmlLimits> | undefined;
  /** How long a stanza may be while `awaited()`, where that is more than `limits` allow. */
  readonly longAnswers?: { readonly bytes: number; awaited(): boolean } | undefined;
}

/**
 * Connects to a target. The returned stream is not opened yet.
 * @throws what `connectTcp` and `connectWebSocket` throw
 */
export async function connectStream(
  target: Target,
  { account, ca, certificate, onAnswer, limits, longAnswers }: ConnectStreamOptions,
  signal: AbortSignal,
): Promise<XmlStream> {
  // Without an account yet, there is no `from` (RFC 6120 §4.7.1).
  const from = account.localpart === '' ? undefined : account.toString();
  const address = { domain: account.domainpart, from };
  const { stanzaBytes } = { ...DEFAULT_LIMITS, ...limits };
  const longestBytes = Math.max(stanzaBytes, longAnswers?.bytes ?? 0);
  const bounds = { ...limits, stanzaBytes: () => (longAnswers?.awaited() === true ? longestBytes : stanzaBytes) };
  if ('url' in target) {
    const transport = await connectWebSocket(target, { ca, maxMessageBytes: longestBytes }, signal);
    return new XmlStream(transport, address, bounds, messageFraming);
  }
  const transport = await connectTcp(target, { domain: account.domainpart, ca, certificate, onAnswer }, signal);
  return new XmlStream(transport, address, bounds, documentFraming);
}
