/** The namespaces of RFC 6120, RFC 6121 and RFC 7395 that several files use. */

/** Stanzas between client and server (RFC 6120 §4.8.2). */
export const NS_CLIENT = 'jabber:client';
/** The stream's root, features and errors (RFC 6120 §4.8.1). */
export const NS_STREAM = 'http://etherx.jabber.org/streams';
/** The conditions of stanza errors (RFC 6120 §8.3). */
export const NS_STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas';
/** The conditions of stream errors (RFC 6120 §4.9). */
export const NS_STREAMS = 'urn:ietf:params:xml:ns:xmpp-streams';
/** STARTTLS (RFC 6120 §5). */
export const NS_TLS = 'urn:ietf:params:xml:ns:xmpp-tls';
/** SASL (RFC 6120 §6). */
export const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl';
/** Resource binding (RFC 6120 §7). */
export const NS_BIND = 'urn:ietf:params:xml:ns:xmpp-bind';
/** The session of RFC 3921 §3. */
export const NS_SESSION = 'urn:ietf:params:xml:ns:xmpp-session';
/** The frames of a WebSocket (RFC 7395 §3.3). */
export const NS_FRAMING = 'urn:ietf:params:xml:ns:xmpp-framing';
