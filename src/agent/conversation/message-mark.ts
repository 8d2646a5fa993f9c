/** Short marks by which the model refers to a message. */
import { createHash } from 'node:crypto';

const LENGTH = 4;

/** The mark of the message with this key: four base-36 characters, stable across requests and independent of the message's text. */
export function messageMark(key: string): string {
  const digest = createHash('sha256').update(key).digest();
  return digest.readUIntBE(0, 6).toString(36).slice(-LENGTH).padStart(LENGTH, '0');
}
