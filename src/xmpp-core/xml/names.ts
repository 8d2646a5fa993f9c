/** XML names without a colon: NCName of Namespaces in XML 1.0 §3, by the name characters of XML 1.0, fifth edition, §2.3. */

const ASCII_NAME = /^[A-Za-z_][\w.-]*$/;

const NAME_START =
  'A-Z_a-z\\xC0-\\xD6\\xD8-\\xF6\\xF8-\\u{2FF}\\u{370}-\\u{37D}\\u{37F}-\\u{1FFF}\\u{200C}-\\u{200D}' +
  '\\u{2070}-\\u{218F}\\u{2C00}-\\u{2FEF}\\u{3001}-\\u{D7FF}\\u{F900}-\\u{FDCF}\\u{FDF0}-\\u{FFFD}\\u{10000}-\\u{EFFFF}';
const UNICODE_NAME = new RegExp(
  `^[${NAME_START}][${NAME_START}.\\-0-9\\xB7\\u{300}-\\u{36F}\\u{203F}-\\u{2040}]*$`,
  'u',
);

/** Whether `name` is an XML name without a colon. Nearly all names in use are ASCII, so the cheap test comes first. */
export function isNcName(name: string): boolean {
  return ASCII_NAME.test(name) || UNICODE_NAME.test(name);
}
