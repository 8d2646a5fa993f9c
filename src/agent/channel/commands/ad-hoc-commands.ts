/** The commands as clients with buttons show them (XEP-0050): the same ones, to the same people, on their direct conversation. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '../../../xmpp-core/client.js';
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import { fieldValue, type DataForm, type FormField } from '../../../xeps/xep-0004-data-forms.js';
import { muc } from '../../../xeps/xep-0045-muc/index.js';
import { adHocCommands, type CommandSession, type CommandStep } from '../../../xeps/xep-0050-ad-hoc-commands.js';
import type { Argument, Choices, Command } from '../../commands/command.js';
import type { AccountConfig } from '../../config/config.js';
import type { Conversation, ConversationStore } from '../../conversation/history.js';
import type { TurnQueue } from '../../conversation/queue.js';
import { directAccess, isOperator } from '../access/rules.js';
import type { CommandDesk, Given } from './command-desk.js';
import type { Denials } from '../access/denials.js';
import type { Limits } from '../access/limits.js';
import { replyChannelTo } from '../outbound/reply-channel.js';
import type { ContactRequests } from '../access/contact-requests.js';
import type { Task } from '../turns/tasks.js';

export interface AdHocCommandsOptions {
  readonly account: AccountConfig;
  readonly client: Client;
  readonly store: ConversationStore;
  readonly commands: CommandDesk;
  readonly limits: Limits;
  readonly denials: Denials;
  readonly strangers: ContactRequests;
  readonly queue: Pick<TurnQueue<Task>, 'isBusy'>;
}

/** The one field of the form of a command that takes something. */
const FIELD = 'argument';
/** Clients give a request up after a while. What takes longer is told in the conversation. */
const PATIENCE_MS = 5_000;

/** Offers all commands, for as long as the client lives. */
export function offerAdHocCommands(options: AdHocCommandsOptions): void {
  const { account, client, commands, strangers } = options;
  const isLetIn = (requester: Jid): boolean =>
    // Who an occupant of a room is only the room says: they write, and are answered there.
    !client.get(muc).rooms.has(requester.bare.toString()) &&
    directAccess(account, requester, strangers.approved()).allowed;
  for (const command of commands.registry.list({ isOperator: true })) {
    client.get(adHocCommands).offer({
      node: command.name,
      name: `${command.summary.charAt(0).toUpperCase()}${command.summary.slice(1)}`,
      hidden: true,
      allowed: (requester) => isLetIn(requester) && (!command.operator || isOperator(account, requester)),
      start: (session) => begin(options, command, session),
    });
  }
}

async function begin(options: AdHocCommandsOptions, command: Command, session: CommandSession): Promise<CommandStep> {
  const { account, store, commands } = options;
  const peer = session.requester.bare;
  const conversation = await store.conversation(`${account.jid.toString()}/${peer.toString()}`);
  const given: Given = {
    name: command.name,
    argument: '',
    key: session.id,
    place: { kind: 'direct', to: peer },
    at: new Date(),
    from: peer.toString(),
    isOperator: isOperator(account, peer),
    author: peer.toString(),
    payer: peer.toString(),
  };
  const { argument } = command;
  if (argument === undefined) return run(options, given, conversation);
  const form = formFor(command, argument, commands.choices(given, conversation));
  const step: CommandStep = {
    form,
    complete: (answer) => {
      const value = fieldValue(answer, FIELD)?.trim() ?? '';
      if (value !== '') return run(options, { ...given, argument: value }, conversation);
      return { ...step, notes: [{ type: 'error', text: `${argument.label} is missing.` }] };
    },
  };
  return step;
}

async function run(options: AdHocCommandsOptions, given: Given, conversation: Conversation): Promise<CommandStep> {
  const { client, commands, limits, denials, queue } = options;
  const excess = limits.excessOfCommand(given.name, queue.isBusy(conversation.id), given.author);
  if (excess !== undefined) {
    denials.tell(given.author, excess.why);
    return { notes: [{ type: 'error', text: excess.tell ?? 'Too many requests; please try again later.' }] };
  }
  const answer = commands.run(given, conversation);
  const clock = new AbortController();
  const late = delay(PATIENCE_MS, undefined, { signal: clock.signal, ref: false }).catch(() => undefined);
  const inTime = await Promise.race([answer, late]);
  clock.abort();
  if (inTime !== undefined) return resultOf(inTime);
  void answer.then((text) => {
    if (text !== '') replyChannelTo(client, given.place).remark(text);
  });
  return { notes: [{ type: 'info', text: 'Still running; I will send the result in our chat.' }] };
}

/** One line is a note, more are a form of results, which clients show as it is written. */
function resultOf(answer: string): CommandStep {
  if (!answer.includes('\n')) return { notes: [{ type: 'info', text: answer === '' ? 'Working on it.' : answer }] };
  return { form: { type: 'result', fields: [{ name: 'answer', type: 'text-multi', values: answer.split('\n') }] } };
}

function formFor({ summary }: Command, { label, kind }: Argument, { values, current }: Choices): DataForm {
  const shared = { name: FIELD, label, required: true, values: current === undefined ? [] : [current] };
  const field: FormField =
    values.length === 0
      ? { ...shared, type: kind === 'jid' ? 'jid-single' : 'text-single' }
      : { ...shared, type: 'list-single', options: values.map((value) => ({ value })) };
  return { type: 'form', instructions: [`${summary}.`], fields: [field] };
}
