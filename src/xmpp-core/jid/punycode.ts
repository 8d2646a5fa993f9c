/** Punycode (RFC 3492): the ASCII form of a domain label beyond ASCII, without its `xn--`. */

/** RFC 3492 §5: the parameters of Punycode. */
const BASE = 36;
const T_MIN = 1;
const T_MAX = 26;
const SKEW = 38;
const DAMP = 700;
const INITIAL_BIAS = 72;
const INITIAL_CODE_POINT = 0x80;

const UNICODE_END = 0x110000;
const DIGITS = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** Encodes a lower-case label as Punycode (RFC 3492 §6.3). The cost grows with the square of the length, so callers limit it first. */
export function encodePunycode(label: string): string {
  const codePoints = Array.from(label, (character) => character.codePointAt(0) ?? 0);
  const basic = codePoints.filter((codePoint) => codePoint < INITIAL_CODE_POINT);
  let output = String.fromCodePoint(...basic);
  if (output !== '') output += '-';
  let bias = INITIAL_BIAS;
  let delta = 0;
  let next = INITIAL_CODE_POINT;
  let handled = basic.length;
  while (handled < codePoints.length) {
    const smallest = Math.min(...codePoints.filter((codePoint) => codePoint >= next));
    delta += (smallest - next) * (handled + 1);
    next = smallest;
    for (const codePoint of codePoints) {
      if (codePoint < next) delta++;
      if (codePoint !== next) continue;
      output += encodeNumber(delta, bias);
      bias = adapt(delta, handled + 1, handled === basic.length);
      delta = 0;
      handled++;
    }
    delta++;
    next++;
  }
  return output;
}

/** Decodes lower-case Punycode (RFC 3492 §6.2); `undefined` if it is not valid. */
export function decodePunycode(text: string): string | undefined {
  const delimiter = text.lastIndexOf('-');
  const output = Array.from(text.slice(0, Math.max(delimiter, 0)), (character) => character.codePointAt(0) ?? 0);
  let bias = INITIAL_BIAS;
  let next = INITIAL_CODE_POINT;
  let index = 0;
  let position = delimiter + 1;
  while (position < text.length) {
    const before = index;
    const length = output.length + 1;
    let weight = 1;
    for (let k = BASE; ; k += BASE) {
      const digit = position < text.length ? DIGITS.indexOf(text.charAt(position++)) : -1;
      if (digit < 0) return undefined;
      index += digit * weight;
      // Above this the code point would be beyond Unicode, and the numbers would soon lose precision (RFC 3492 §6.4).
      if (index >= (UNICODE_END - next) * length) return undefined;
      const threshold = thresholdAt(k, bias);
      if (digit < threshold) break;
      weight *= BASE - threshold;
    }
    bias = adapt(index - before, length, before === 0);
    next += Math.floor(index / length);
    index %= length;
    output.splice(index++, 0, next);
  }
  return String.fromCodePoint(...output);
}

/** Encodes a number in digits whose weights depend on the bias, least significant first (RFC 3492 §3.3). */
function encodeNumber(number: number, bias: number): string {
  let output = '';
  let rest = number;
  for (let k = BASE; ; k += BASE) {
    const threshold = thresholdAt(k, bias);
    if (rest < threshold) return output + DIGITS.charAt(rest);
    output += DIGITS.charAt(threshold + ((rest - threshold) % (BASE - threshold)));
    rest = Math.floor((rest - threshold) / (BASE - threshold));
  }
}

function thresholdAt(k: number, bias: number): number {
  return Math.min(Math.max(k - bias, T_MIN), T_MAX);
}

/** Adapts the bias (RFC 3492 §6.1): the next delta is likely about as large as this one. */
function adapt(delta: number, length: number, first: boolean): number {
  let rest = Math.floor(delta / (first ? DAMP : 2));
  rest += Math.floor(rest / length);
  let k = 0;
  while (rest > ((BASE - T_MIN) * T_MAX) / 2) {
    rest = Math.floor(rest / (BASE - T_MIN));
    k += BASE;
  }
  return k + Math.floor(((BASE - T_MIN + 1) * rest) / (rest + SKEW));
}
