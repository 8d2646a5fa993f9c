/** `moltis-xmpp/loopback`: an XMPP server in this process, on 127.0.0.1 only, to test a client or a bot against. */
export { LOOPBACK_CERTIFICATE } from './certificate.js';
export type { Misbehaviour } from './misbehaviour.js';
export { LoopbackServer, type LoopbackOptions } from './server.js';
