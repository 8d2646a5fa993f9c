/**
 * Finds out what a port is for when it does not behave as expected: a server that gets the wrong kind of first byte closes the connection or
 * waits, and neither says why. Two further connections are made, one with TLS and one without, and what they answer to `GET /` is looked at.
 */
import net from 'node:net';
import tls from 'node:tls';
import { inBackground } from '../background.js';
import { withDeadline } from '../deadline.js';
import { UnreachableError, TlsError, WrongPortError, type PortTls, type PortUse } from '../errors.js';
import { connectOptions } from './addresses.js';
import { foreignUse } from './first-bytes.js';
import type { TcpTarget } from './targets.js';
import { isFromTlsPeer } from './tls.js';
import { peerOf } from './unreachable.js';

/** How long a port may say nothing before it is probed. */
const SILENCE_MS = 4_000;
const PROBE_MS = 2_000;
/** Not XMPP and not TLS: every web server answers it, and an XMPP server answers it with a stream error. */
const REQUEST = 'GET / HTTP/1.0\r\n\r\n';
/** Problems that a port of the wrong kind causes. A web server may reject a handshake because it names XMPP. */
const SUSPICIOUS: ReadonlySet<string> = new Set(['closed', 'not-tls', 'handshake']);

/**
 * Runs `work`, which connects to the target and negotiates. A port that stays silent or closes the connection is probed.
 * @param work calls `onAnswer` when the port has sent something
 * @throws WrongPortError when the port is for something else; else what `work` throws
 */
export async function withPortCheck<T>(
  target: TcpTarget,
  signal: AbortSignal,
  work: (signal: AbortSignal, onAnswer: () => void) => Promise<T>,
): Promise<T> {
  const given = new AbortController();
  const over = new AbortController();
  const endsEarly = AbortSignal.any([signal, over.signal]);
  const timer = setTimeout(() => {
    const probe = async (): Promise<void> => {
      const wrong = await wrongPort(target, endsEarly);
      if (wrong !== undefined) given.abort(wrong);
    };
    inBackground(probe, (error) => given.abort(error));
  }, SILENCE_MS);
  const endProbe = (): void => {
    clearTimeout(timer);
    over.abort();
  };
  try {
    return await work(AbortSignal.any([signal, given.signal]), endProbe);
  } catch (error) {
    if (signal.aborted || !isSuspicious(error)) throw error;
    throw (await wrongPort(target, signal, error)) ?? error;
  } finally {
    endProbe();
  }
}

function isSuspicious(error: unknown): boolean {
  return (error instanceof UnreachableError || error instanceof TlsError) && SUSPICIOUS.has(error.problem);
}

/** Probes the port. @returns the error if it is for something else than the target says */
async function wrongPort(target: TcpTarget, signal: AbortSignal, cause?: unknown): Promise<WrongPortError | undefined> {
  const { host, port, tls: expected } = target;
  const connect = { ...connectOptions(host), host, port };
  // Nothing secret is sent, and nothing that comes back is trusted. A certificate that is not ours would hide what is behind it.
  const anyCertificate = { rejectUnauthorized: false, ...(net.isIP(host) === 0 ? { servername: host } : {}) };
  const [plain, secure] = await Promise.all([
    firstAnswer(signal, () => net.connect(connect)),
    firstAnswer(signal, () => tls.connect({ ...connect, ...anyCertificate })),
  ]);
  const found = judge(expected, plain, secure);
  return found === undefined ? undefined : new WrongPortError(peerOf(target), { expected, found, cause });
}

/** What came of a connection. */
interface Answer {
  /** Whether it was established, with TLS where that was tried. */
  readonly isOpen: boolean;
  /** The first bytes that came. */
  readonly bytes: Uint8Array | undefined;
  /** Why it ended, or why it did not open. */
  readonly error: unknown;
}

function judge(expected: PortTls, plain: Answer, secure: Answer): PortUse | undefined {
  const [plainUse, secureUse] = [plain, secure].map(({ bytes }) =>
    bytes === undefined ? undefined : foreignUse(bytes),
  );
  if (plainUse === 'http' || secureUse === 'http') return 'http';
  const hasTls = secure.isOpen || isFromTlsPeer(secure.error);
  if (expected === 'starttls') return hasTls ? 'direct' : undefined;
  if (hasTls || plain.bytes === undefined) return undefined;
  return plainUse === 'direct' ? undefined : (plainUse ?? 'starttls');
}

/** Opens a connection, and waits a while for its first bytes. Never rejects. */
async function firstAnswer(signal: AbortSignal, open: () => net.Socket): Promise<Answer> {
  const socket = open();
  let isOpen = false;
  socket.once(socket instanceof tls.TLSSocket ? 'secureConnect' : 'connect', () => {
    isOpen = true;
    socket.write(REQUEST);
  });
  try {
    const bytes = await withDeadline('probing a port', PROBE_MS, signal, () => firstBytes(socket));
    return { isOpen, bytes, error: undefined };
  } catch (error) {
    return { isOpen, bytes: undefined, error };
  } finally {
    socket.destroy();
  }
}

/** @returns `undefined` when the connection is closed before any came */
function firstBytes(socket: net.Socket): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    // The handler of errors stays: a destroyed socket may emit another one.
    socket
      .once('data', resolve)
      .on('error', reject)
      .once('close', () => resolve(undefined));
  });
}
