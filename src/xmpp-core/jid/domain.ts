/**
 * The domainpart of a JID (RFC 7622 §3.2): a domain name in U-labels of IDNA2008 (RFC 5890 to 5893), or an IP address. A-labels
 * (`xn--…`) become U-labels, so that a domain has one spelling; `toAsciiDomain` converts it for DNS and TLS. Case, width and
 * ideographic full stops are mapped as in RFC 5895. Labels are letters, digits and hyphens: no underscore, no emoji.
 */
import { XmppError } from '../errors.js';
import { isRightToLeft, satisfiesBidiRule } from './bidi.js';
import { codePointName, precisProperty } from './code-points.js';
import { findMisplaced } from './context-rules.js';
import { mapWidth } from './precis.js';
import { decodePunycode, encodePunycode } from './punycode.js';

/** Thrown for a text that is neither a domain nor an IP address. The message says what is wrong. */
export class DomainError extends XmppError {
  override readonly name = 'DomainError';
}

/** RFC 1035 §2.3.4, in octets; an A-label has one octet per character. */
const MAX_LABEL_LENGTH = 63;

const ACE_PREFIX = 'xn--';
const ASCII = /^[\0-\x7F]*$/;
const LDH_LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;

/**
 * Prepares a domainpart for comparison: `Bücher.example.` and `xn--bcher-kva.EXAMPLE` both become `bücher.example`.
 * @throws {DomainError} when it is empty, a label is not valid, or labels mix directions
 */
export function prepareDomain(text: string): string {
  if (text.startsWith('[')) return prepareIpv6(text);
  // RFC 7622 §3.2: the trailing dot of the root is removed before anything else.
  const withoutRoot = text.replace(/[.\u3002\uFF0E\uFF61]$/, '');
  if (withoutRoot === '') throw new DomainError('it is empty');
  const labels = mapLabels(withoutRoot).split('.').map(prepareLabel);
  const domain = labels.join('.');
  // RFC 5893 §1.4: with one right-to-left label, the rule applies to all labels.
  if (isRightToLeft(domain) && !labels.every(satisfiesBidiRule)) {
    throw new DomainError('its labels mix writing directions (the Bidi Rule, RFC 5893 §2)');
  }
  return domain;
}

/** Converts a prepared domainpart for DNS, TLS and HTTP: each U-label becomes its A-label. */
export function toAsciiDomain(domainpart: string): string {
  return domainpart
    .split('.')
    .map((label) => (ASCII.test(label) ? label : ACE_PREFIX + encodePunycode(label)))
    .join('.');
}

/** RFC 3986 §3.2.2, without a zone, which is local to one machine. The result has the one spelling of RFC 5952. */
function prepareIpv6(text: string): string {
  // `URL` accepts more than addresses, so only characters of addresses are passed to it.
  const url = `http://${text}/`;
  if (!/^\[[0-9A-Fa-f:.]+\]$/.test(text) || !URL.canParse(url))
    throw new DomainError('it is not an IPv6 address in brackets');
  return new URL(url).hostname;
}

/** RFC 5895 §2: lower case, one width, composed, and every full stop a dot. Sigma never becomes a final sigma, whatever follows it. */
function mapLabels(text: string): string {
  const lowerCase = text.replaceAll('\u03A3', '\u03C3').toLowerCase();
  return mapWidth(lowerCase).normalize('NFC').replaceAll('\u3002', '.');
}

function prepareLabel(label: string): string {
  if (label === '') throw new DomainError('it has an empty label');
  if (!ASCII.test(label)) return requireULabel(label, ACE_PREFIX + encodePunycode(requireLabelLength(label)));
  requireLabelLength(label);
  if (label.startsWith(ACE_PREFIX)) return fromALabel(label);
  if (!LDH_LABEL.test(label)) {
    throw new DomainError('a label may contain only letters, digits and hyphens, and no hyphen at either end');
  }
  return label;
}

/** @throws {DomainError} when the label, in U or A form, is too long for DNS; a U-label is never longer than its A-label */
function requireLabelLength(label: string): string {
  if (label.length > MAX_LABEL_LENGTH) throw new DomainError(`a label is longer than ${MAX_LABEL_LENGTH} bytes`);
  return label;
}

/** RFC 5891 §5.4: an A-label must decode to a U-label that encodes to the same A-label. */
function fromALabel(aLabel: string): string {
  const label = decodePunycode(aLabel.slice(ACE_PREFIX.length));
  if (label === undefined || ASCII.test(label) || ACE_PREFIX + encodePunycode(label) !== aLabel) {
    throw new DomainError('a label begins with "xn--" but is not a valid A-label (RFC 5890 §2.3.2.1)');
  }
  return requireULabel(label, aLabel);
}

/** RFC 5891 §4.2. @throws {DomainError} when the label is not one that can be registered */
function requireULabel(label: string, aLabel: string): string {
  requireLabelLength(aLabel);
  if (mapLabels(label) !== label) throw new DomainError('a label is not in its canonical spelling');
  if (/^-|-$|^..--/su.test(label)) throw new DomainError('a label has hyphens in forbidden places (RFC 5891 §4.2.3.1)');
  if (/^\p{M}/u.test(label)) throw new DomainError('a label begins with a combining mark (RFC 5891 §4.2.3.2)');
  for (const character of label) {
    if (!/[PJO]/.test(precisProperty(character.codePointAt(0) ?? 0))) {
      throw new DomainError(`${codePointName(character)} is not allowed in a domain name (RFC 5892)`);
    }
  }
  const misplaced = findMisplaced(label);
  if (misplaced !== undefined) {
    throw new DomainError(`${codePointName(misplaced)} is not allowed in this place of a label (RFC 5892, Appendix A)`);
  }
  return label;
}
