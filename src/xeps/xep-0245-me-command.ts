/**
 * XEP-0245 The /me Command, 1.0 (Active). https://xmpp.org/extensions/xep-0245.html
 *
 * A text that says what its author does: `/me laughs` is shown as `* Ann laughs`.
 */

const ME = '/me ';

/** What the author does, or `undefined` for a text that just says something. */
export function readAction(body: string): string | undefined {
  return body.startsWith(ME) ? body.slice(ME.length) : undefined;
}

export function writeAction(action: string): string {
  return ME + action;
}

/** The text as it is shown (§2): with the name in the place of the command, and otherwise as it is. */
export function showAction(body: string, name: string): string {
  const action = readAction(body);
  return action === undefined ? body : `* ${name} ${action}`;
}
