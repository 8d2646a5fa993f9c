/** Rooms (XEP-0045), and what only rooms have. */
import { NS_MUC, readMucUser, type Presence } from '../../../src/index.js';

/** Whether a presence is told as what it means in a room. */
export function isOfRoom({ element }: Presence): boolean {
  return readMucUser(element) !== undefined || element.child('x', NS_MUC) !== undefined;
}
