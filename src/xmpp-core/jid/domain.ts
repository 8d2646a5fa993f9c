/** The domainpart of a JID (RFC 7622 §3.2): a domain name or an IP address. */

const ASCII_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const U_LABEL = /^[\p{Ll}\p{Lo}\p{Lm}\p{Mn}\p{Mc}\p{Nd}a-z0-9-]{1,63}$/u;
const IPV6 = /^\[[0-9a-f:.]{2,45}\]$/;

/**
 * Prepares a domainpart: lower case, one form of full stop, no dot at the end.
 * @throws {RangeError} saying what is wrong with it
 */
export function prepareDomain(text: string): string {
  const domain = text
    .toLowerCase()
    .normalize('NFC')
    .replace(/[\u3002\uFF0E\uFF61]/g, '.')
    .replace(/\.$/, '');
  if (domain === '') throw new RangeError('it is empty');
  if (IPV6.test(domain)) return domain;
  for (const label of domain.split('.')) {
    if (!ASCII_LABEL.test(label) && !U_LABEL.test(label)) throw new RangeError('one of its labels is not valid');
  }
  return domain;
}
