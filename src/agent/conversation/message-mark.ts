/** Short names for messages, by which the model says which one it means. */
import { createHash } from 'node:crypto';

const LENGTH = 4;

/** The name of the message with this key: the same in every request, and no text that somebody writes makes another message have it. */
export function messageMark(key: string): string {
  const digest = createHash('sha256').update(key).digest();
  return digest.readUIntBE(0, 6).toString(36).slice(-LENGTH).padStart(LENGTH, '0');
}
