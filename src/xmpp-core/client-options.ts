/** What a client is made of: the account, the way to its server, and what it does there. */
import type { Jid } from './jid/jid.js';
import type { Plugin } from './plugin.js';
import type { ReconnectPolicy } from './reconnect.js';
import type { ChannelBindingPolicy } from './sasl/binding.js';
import type { OutgoingPresence } from './stanza/stanzas.js';
import type { Storage } from './storage.js';
import type { Login } from './stream/authenticator.js';
import type { ServerOverride, SrvResolver } from './transport/targets.js';
import type { ClientCertificate } from './transport/tls.js';
import type { XmlLimits } from './xml/limits.js';

/** Options of `createClient`. */
export interface ClientOptions {
  /** The account, bare, such as `me@example.org`; with `ANONYMOUS` the domain of the server. */
  readonly jid: Jid | string;
  /** Needed for a login by password. */
  readonly password?: string | undefined;
  /** Default: `password`. */
  readonly login?: Login | undefined;
  /** Our certificate for `EXTERNAL`, presented in the TLS handshake to a server that requests one. */
  readonly certificate?: ClientCertificate | undefined;
  /** The resource to request; by default the server chooses one. */
  readonly resource?: string | undefined;
  /** Connect here instead of where DNS points. The certificate must still be for the account's domain. */
  readonly server?: ServerOverride | undefined;
  /**
   * A `wss:` URL: connect there, and only there (RFC 7395); the certificate must be for the URL's host. `discover`: when no server could be
   * reached by TCP, ask the domain's web site for its WebSockets (XEP-0156). Without it the web site is never asked.
   */
  readonly websocket?: string | undefined;
  /** A PEM bundle of authorities to trust in addition to the system's. */
  readonly ca?: string | undefined;
  /** The extensions to set up. A plugin that another one requires is set up with it; the first of a name wins. */
  readonly plugins?: readonly Plugin<unknown>[] | undefined;
  /**
   * Whether to answer a request (IQ) of this sender; by default all are answered. Others get what a server sends for an absent client:
   * `service-unavailable` (RFC 6121 §8.5.3.2.3). Our own account and server always get an answer.
   */
  readonly answers?: ((requester: Jid) => boolean) | undefined;
  /** Sent when a new session is up; `false` sends none. Default: a plain available presence. */
  readonly presence?: OutgoingPresence | false | undefined;
  /** Where plugins store what outlives the process. Default: in memory. */
  readonly storage?: Storage | undefined;
  /** How long to wait before connecting again; from 1 second to 5 minutes, growing, unless told. */
  readonly reconnect?: ReconnectPolicy | undefined;
  /** What the server may send: the size of an element, its depth and the like; see `DEFAULT_LIMITS`. */
  readonly limits?: Partial<XmlLimits> | undefined;
  /** The bytes of a stanza while an answer is awaited that may be long, such as the roster; default 16 MiB. */
  readonly longAnswerBytes?: number | undefined;
  /** Looks up SRV records instead of `node:dns`. */
  readonly resolver?: SrvResolver | undefined;
  /**
   * Whether a login is bound to its TLS connection (RFC 5802 §6), which defeats a man in the middle even with a certificate that this
   * machine trusts. Default: `preferred`, bound if both sides support it.
   */
  readonly channelBinding?: ChannelBindingPolicy | undefined;
  /** The deadline to connect to one address and negotiate, in milliseconds; default 30 seconds. */
  readonly connectTimeoutMs?: number | undefined;
}
