/** `moltis-xmpp/jid`: addresses alone, prepared and compared as RFC 7622 says. */
export { Jid, JidError, type JidPart } from './jid.js';
export { escapeLocalpart, unescapeLocalpart } from './jid-escaping.js';
