/** The commands for operators of the account. They are hidden from everybody else. */
import { Jid, JidError } from '../../xmpp-core/jid/jid.js';
import type { Command } from './command.js';

const approve: Command = {
  name: 'approve',
  usage: 'JID',
  summary: 'lets someone in',
  operator: true,
  immediate: true,
  argument: { label: 'Who', kind: 'jid' },
  async run({ operations }, argument) {
    const who = operations.findContact(argument) ?? readAddress(argument);
    if (typeof who === 'string') return whom('approve', who, operations.pendingRequests());
    const isNew = await operations.approve(who);
    if (!operations.isAdmitted(who)) return `${who.toString()} is approved, but dm_policy lets nobody in.`;
    return isNew ? `${who.toString()} is approved.` : `${who.toString()} was already approved.`;
  },
};

const deny: Command = {
  name: 'deny',
  usage: 'JID',
  summary: 'turns someone away, or revokes their approval',
  operator: true,
  immediate: true,
  argument: { label: 'Who', kind: 'jid' },
  async run({ operations }, argument) {
    const who = operations.findContact(argument) ?? readAddress(argument);
    if (typeof who === 'string') return whom('deny', who, operations.pendingRequests());
    const wasKnown = await operations.deny(who);
    if (operations.isAdmitted(who)) return `${who.toString()} is still allowed by the configuration.`;
    return wasKnown ? `${who.toString()} is denied.` : `${who.toString()} was neither approved nor waiting.`;
  },
};

const rooms: Command = {
  name: 'rooms',
  usage: '',
  summary: 'lists my rooms',
  operator: true,
  immediate: true,
  run({ operations }) {
    const known = operations.rooms();
    if (known.length === 0) return 'I am not in any room.';
    return known
      .map(({ jid, nick, occupants }) =>
        nick === undefined ? `${jid.toString()}: not joined` : `${jid.toString()}: as ${nick}, ${occupants} present`,
      )
      .join('\n');
  },
};

const join: Command = {
  name: 'join',
  usage: 'ROOM',
  summary: 'joins a room and rejoins it after restarts',
  operator: true,
  immediate: true,
  argument: { label: 'Room', kind: 'jid' },
  async run({ operations }, argument) {
    const room = readAddress(argument);
    if (typeof room === 'string') return `Which room? Example: /join room@conference.example.com. ${room}`.trim();
    const refusal = await operations.join(room);
    return refusal ?? `I am in ${room.toString()}.`;
  },
};

const leave: Command = {
  name: 'leave',
  usage: '[ROOM]',
  summary: 'leaves a room; without ROOM, the one it is sent in',
  operator: true,
  immediate: true,
  argument: {
    label: 'Room',
    kind: 'jid',
    choices: ({ operations }) => ({ values: operations.rooms().map(({ jid }) => jid.toString()) }),
  },
  async run({ operations, room: here }, argument) {
    const known = operations.rooms().find(({ jid }) => jid.toString() === argument)?.jid;
    const room = argument === '' && here !== undefined ? here : (known ?? readAddress(argument));
    if (typeof room === 'string') return `Which room? /rooms lists my rooms. ${room}`.trim();
    return (await operations.leave(room)) ? `I left ${room.toString()}.` : `I am not in ${room.toString()}.`;
  },
};

const usage: Command = {
  name: 'usage',
  usage: '',
  summary: "shows today's tokens by sender and room",
  operator: true,
  immediate: true,
  run({ operations }) {
    const { spent, limit } = operations.usage();
    if (spent.length === 0) return 'No tokens used today.';
    const total = spent.reduce((sum, { tokens }) => sum + tokens, 0);
    const rest = spent.length - MAX_LISTED;
    return [
      `${total} tokens today (${Number.isFinite(limit) ? `limit: ${limit} each` : 'no limit'}):`,
      ...spent.slice(0, MAX_LISTED).map(({ payer, tokens }) => `${payer}: ${tokens}`),
      ...(rest > 0 ? [`and ${rest} more`] : []),
    ].join('\n');
  },
};

/** `/approve`, `/deny`, `/rooms`, `/join`, `/leave`, `/usage`. */
export const operatorCommands: readonly Command[] = [approve, deny, rooms, join, leave, usage];

/** The maximum length of a list in a reply. */
const MAX_LISTED = 30;

/** Reads a bare JID, or a link (`xmpp:room@example.org?join`). Returns the reason when it is invalid, `''` without an argument. */
function readAddress(argument: string): Jid | string {
  const text = /^xmpp:([^?]*)/i.exec(argument)?.[1] ?? argument;
  if (text === '') return '';
  try {
    const { bare } = Jid.parse(text);
    return bare.localpart === '' ? 'An address needs an @.' : bare;
  } catch (error) {
    if (error instanceof JidError) return `That is not a valid address: ${error.message}.`;
    throw error;
  }
}

function whom(command: string, why: string, waiting: readonly string[]): string {
  const who = waiting.slice(0, MAX_LISTED).join(', ');
  return [`Who? Example: /${command} alice@example.com.`, why, who === '' ? '' : `Waiting: ${who}.`]
    .filter(Boolean)
    .join(' ');
}
