/**
 * XEP-0245 The /me Command, 1.0 (Active). https://xmpp.org/extensions/xep-0245.html
 *
 * Messages that describe an action of the sender: `/me laughs` is displayed as `* Ann laughs`.
 */

const ME = '/me ';

/** Reads the action; `undefined` for an ordinary message. */
export function readAction(body: string): string | undefined {
  return body.startsWith(ME) ? body.slice(ME.length) : undefined;
}

/** Writes an action. */
export function writeAction(action: string): string {
  return ME + action;
}

/** The text to display (§2): the command is replaced by the name. */
export function showAction(body: string, name: string): string {
  const action = readAction(body);
  return action === undefined ? body : `* ${name} ${action}`;
}
