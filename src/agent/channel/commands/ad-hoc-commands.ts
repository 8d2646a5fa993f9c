/** The commands as ad-hoc commands (XEP-0050): the same ones, for the same people, on their direct conversation. */
import type { Client } from '../../../xmpp-core/client.js';
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import { fieldValue, type DataForm, type FormField } from '../../../xeps/xep-0004-data-forms.js';
import { adHocCommands, type CommandSession, type CommandStep } from '../../../xeps/xep-0050-ad-hoc-commands.js';
import type { Background } from '../../background.js';
import type { CommandArgument, ArgumentChoices, Command } from '../../commands/command.js';
import type { AccountConfig } from '../../config/config.js';
import type { Conversation, ConversationStore } from '../../conversation/history.js';
import type { TurnQueue } from '../../conversation/queue.js';
import type { Admission, RoomFacts } from '../access/admission.js';
import { isOperator } from '../access/rules.js';
import { replyChannelTo } from '../outbound/reply-channel.js';
import type { Task } from '../turns/tasks.js';
import type { CommandDesk, CommandRequest } from './command-desk.js';

/** Parts of the ad-hoc commands. */
export interface AdHocCommandsOptions {
  readonly account: AccountConfig;
  readonly client: Client;
  readonly store: ConversationStore;
  readonly commands: CommandDesk;
  readonly admission: Admission;
  readonly rooms: RoomFacts;
  readonly background: Background;
  readonly queue: Pick<TurnQueue<Task>, 'isBusy'>;
}

/** The one field in the form of a command that takes an argument. */
const FIELD = 'argument';
/** Clients give up on a request after a while. A result that takes longer goes to the conversation. */
const PATIENCE_MS = 5_000;

/** Offers all commands, for as long as the client lives. */
export function offerAdHocCommands(options: AdHocCommandsOptions): void {
  const { account, client, commands, admission, rooms } = options;
  const isLetIn = (requester: Jid): boolean =>
    // Only the room knows who an occupant is. Occupants write to the bot instead.
    !rooms.has(requester) && admission.direct(requester).allowed;
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
  const given: CommandRequest = {
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

async function run(
  options: AdHocCommandsOptions,
  given: CommandRequest,
  conversation: Conversation,
): Promise<CommandStep> {
  const { client, commands, admission, queue, background } = options;
  const refusal = admission.command(given.name, queue.isBusy(conversation.id), given.author);
  if (refusal !== undefined) {
    return { notes: [{ type: 'error', text: refusal.notice ?? 'Too many requests; please try again later.' }] };
  }
  const answer = commands.run(given, conversation);
  const inTime = await within(PATIENCE_MS, answer);
  if (inTime !== undefined) return resultOf(inTime);
  background.run('ad-hoc command', async () => {
    const text = await answer;
    if (text !== '') replyChannelTo(client, given.place).notify(text);
  });
  return { notes: [{ type: 'info', text: 'Still running; I will send the result in our chat.' }] };
}

/** What `work` resolves to, or `undefined` when that takes longer than `ms`. */
async function within<Result>(ms: number, work: Promise<Result>): Promise<Result | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms).unref();
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** One line becomes a note, several become a form of results, whose lines clients keep. */
function resultOf(answer: string): CommandStep {
  if (!answer.includes('\n')) return { notes: [{ type: 'info', text: answer === '' ? 'Working on it.' : answer }] };
  return { form: { type: 'result', fields: [{ name: 'answer', type: 'text-multi', values: answer.split('\n') }] } };
}

function formFor(
  { summary }: Command,
  { label, kind }: CommandArgument,
  { values, current }: ArgumentChoices,
): DataForm {
  const shared = { name: FIELD, label, required: true, values: current === undefined ? [] : [current] };
  const field: FormField =
    values.length === 0
      ? { ...shared, type: kind === 'jid' ? 'jid-single' : 'text-single' }
      : { ...shared, type: 'list-single', options: values.map((value) => ({ value })) };
  return { type: 'form', instructions: [`${summary}.`], fields: [field] };
}
