/** `moltis-xmpp/xml`: the element, and the way from bytes to elements and back. It knows nothing of XMPP's stanzas. */
export { XmlError } from '../errors.js';
export { el, Element, type Attributes, type Node } from './element.js';
export { DEFAULT_LIMITS, type ParserLimits, type XmlLimits } from './limits.js';
export { scope, serialize, type Scope } from './serialize.js';
export { parseElement, StreamParser, type StreamHandlers } from './stream-parser.js';
