/**
 * XEP-0050 Ad-Hoc Commands, 1.3.0 (Stable). https://xmpp.org/extensions/xep-0050.html
 *
 * Runs commands of other entities, stage by stage, and offers ours to those who may run them. The functions of a stage (`next`, `complete`,
 * `prev`) define the possible actions. Commands that a requester may not run are not listed.
 *
 * Left out: announcing the command list in a message (§2.3); languages.
 */
import { StanzaError, XmppError } from '../xmpp-core/errors.js';
import type { Disposer } from '../xmpp-core/events.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, senders, type Plugin } from '../xmpp-core/plugin.js';
import { newId } from '../xmpp-core/stanza/ids.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { childForm, NS_DATA_FORMS, writeDataForm, type DataForm } from './xep-0004-data-forms.js';
import { serviceDiscovery, type DiscoItem } from './xep-0030-service-discovery.js';

/** The namespace of commands, and the node that lists them. */
export const NS_COMMANDS = 'http://jabber.org/protocol/commands';

/** The status of a command (§4.1). */
export type CommandStatus = 'executing' | 'completed' | 'canceled';
/** What to do next (§4.1); `execute` means the default action of the stage. */
export type CommandAction = 'execute' | 'cancel' | 'prev' | 'next' | 'complete';

/** A message for the user. */
export interface CommandNote {
  readonly type: 'info' | 'warn' | 'error';
  readonly text: string;
}

/** A `<command/>`, as a request or as an answer. */
export interface Command {
  readonly node: string;
  readonly sessionId?: string;
  readonly action?: CommandAction;
  readonly status?: CommandStatus;
  /** The possible actions besides `cancel`; absent if the answer does not list any. */
  readonly actions?: readonly CommandAction[];
  /** The action that `execute` means. */
  readonly defaultAction?: CommandAction;
  readonly notes: readonly CommandNote[];
  readonly form?: DataForm;
  /** Other payloads, such as links (XEP-0066). */
  readonly payloads?: readonly Element[];
}

const STATUSES: ReadonlySet<string> = new Set<CommandStatus>(['executing', 'completed', 'canceled']);
const ACTIONS: ReadonlySet<string> = new Set<CommandAction>(['execute', 'cancel', 'prev', 'next', 'complete']);

/** Reads a command; `undefined` without a node, or if the action is unknown. */
export function readCommand(command: Element): Command | undefined {
  const node = command.attr('node');
  const [sessionId, action, status] = [command.attr('sessionid'), command.attr('action'), command.attr('status')];
  const offered = command.child('actions');
  const form = childForm(command);
  const payloads = command.children().filter(({ ns }) => ns !== NS_COMMANDS && ns !== NS_DATA_FORMS);
  if (!command.is('command', NS_COMMANDS) || node === undefined) return undefined;
  if (action !== undefined && !isAction(action)) return undefined;
  const actions = offered?.children().map(({ name }) => name) ?? [];
  const proposed = offered?.attr('execute') ?? 'next';
  return {
    node,
    ...(sessionId === undefined ? {} : { sessionId }),
    ...(action === undefined ? {} : { action }),
    ...(isStatus(status) ? { status } : {}),
    ...(offered === undefined ? {} : { actions: actions.filter(isAction) }),
    // §3.4: the default has to be one of the listed actions.
    ...(isAction(proposed) && actions.includes(proposed) ? { defaultAction: proposed } : {}),
    notes: command.children('note').map((note) => {
      const type = note.attr('type');
      return { type: type === 'warn' || type === 'error' ? type : 'info', text: note.text };
    }),
    ...(form === undefined ? {} : { form }),
    ...(payloads.length === 0 ? {} : { payloads }),
  };
}

/** Writes a command. */
export function writeCommand(command: Command): Element {
  const { node, sessionId, action, status, actions, defaultAction, notes, form, payloads = [] } = command;
  return el(
    'command',
    NS_COMMANDS,
    { node, sessionid: sessionId, action, status },
    actions === undefined
      ? undefined
      : el('actions', NS_COMMANDS, { execute: defaultAction }, ...actions.map((one) => el(one, NS_COMMANDS))),
    form === undefined ? undefined : writeDataForm(form),
    ...payloads,
    ...notes.map(({ type, text }) => el('note', NS_COMMANDS, { type }, text)),
  );
}

/** A running command of ours, and who runs it. */
export interface CommandSession {
  readonly id: string;
  /** A full JID; in a room that of the occupant. */
  readonly requester: Jid;
}

/**
 * A stage of one of our commands. With `next` or `complete` it waits for an answer; without both it is the last. Errors for the user are
 * notes of type `error`. A thrown `StanzaError` is sent as it is, and the stage stays.
 */
export interface CommandStep {
  readonly form?: DataForm;
  readonly notes?: readonly CommandNote[];
  readonly payloads?: readonly Element[];
  readonly next?: (answer: DataForm | undefined) => CommandStep | Promise<CommandStep>;
  readonly complete?: (answer: DataForm | undefined) => CommandStep | Promise<CommandStep>;
  readonly prev?: (answer: DataForm | undefined) => CommandStep | Promise<CommandStep>;
}

/** One of our commands. */
export interface OfferedCommand {
  readonly node: string;
  /** A name for people. */
  readonly name: string;
  /** Who may see and run it; checked at every stage. */
  allowed(requester: Jid): boolean;
  /** Whether others are told `item-not-found`, as if the command did not exist, instead of `forbidden`. */
  readonly hidden?: boolean;
  start(session: CommandSession): CommandStep | Promise<CommandStep>;
}

/** A stage of another entity's command. */
export interface RunningCommand extends Command {
  readonly status: CommandStatus;
  /** Continues the command. @throws StanzaError, TimeoutError; XmppError if it is over */
  act(action: CommandAction, answer?: DataForm): Promise<RunningCommand>;
}

/** The handle of the plugin. */
export interface AdHocCommands {
  /** Offers a command. @returns withdraws it @throws XmppError if the node is taken */
  offer(command: OfferedCommand): Disposer;
  /** Lists the commands of an entity that we may see. @throws StanzaError, TimeoutError */
  list(entity: Jid | string): Promise<readonly DiscoItem[]>;
  /** Starts a command. @throws StanzaError, TimeoutError; XmppError if the answer is invalid */
  execute(entity: Jid | string, node: string): Promise<RunningCommand>;
}

interface Session extends CommandSession {
  readonly command: OfferedCommand;
  step: CommandStep;
  expiresAt: number;
  isBusy: boolean;
}

/** How long a session waits for its user, in milliseconds, and the most sessions per account and in all. */
export interface AdHocLimits {
  readonly sessionMs: number;
  readonly sessionsOfOne: number;
  readonly sessions: number;
}

const LIMITS: AdHocLimits = { sessionMs: 600_000, sessionsOfOne: 4, sessions: 256 };

/** The plugin with other limits than ten minutes, 4 sessions per account and 256 in all. */
export function adHocCommandsWith({ sessionMs, sessionsOfOne, sessions: max }: AdHocLimits): Plugin<AdHocCommands> {
  return definePlugin({
    name: 'ad-hoc-commands',
    xep: 50,
    features: [NS_COMMANDS, NS_DATA_FORMS],
    requires: [serviceDiscovery],
    setup(context): AdHocCommands {
      const disco = context.get(serviceDiscovery);
      const offers = new Map<string, OfferedCommand>();
      /** In order of expiry. */
      const sessions = new Map<string, Session>();

      disco.offer(NS_COMMANDS, {
        info: () => ({
          identities: [{ category: 'automation', type: 'command-list' }],
          features: new Set([NS_COMMANDS]),
          forms: [],
        }),
        items: (asker) => {
          const jid = context.jid() ?? context.account;
          const visible = [...offers.values()].filter((command) => command.allowed(asker));
          return visible.map(({ node, name }) => ({ jid, node, name }));
        },
      });

      const store = (session: Session): void => {
        sessions.delete(session.id);
        session.expiresAt = performance.now() + sessionMs;
        sessions.set(session.id, session);
      };
      /** Makes room for a session: drops expired ones, then the oldest of the same account. */
      const makeRoom = (requester: Jid): void => {
        const now = performance.now();
        for (const { id, expiresAt } of sessions.values()) if (expiresAt <= now) sessions.delete(id);
        const theirs = [...sessions.values()].filter((session) => session.requester.bare.equals(requester.bare));
        for (const { id } of theirs.slice(0, Math.max(0, theirs.length - sessionsOfOne + 1))) sessions.delete(id);
        if (sessions.size >= max) throw StanzaError.of('resource-constraint', 'too many commands are running');
      };
      const findSession = (sessionId: string, node: string, requester: Jid): Session => {
        const session = sessions.get(sessionId);
        // §3.3: does not reveal whether the session exists but belongs to another requester.
        if (session === undefined || session.command.node !== node || !session.requester.equals(requester))
          throw refusal('bad-request', 'bad-sessionid');
        if (session.expiresAt <= performance.now()) {
          sessions.delete(sessionId);
          throw refusal('not-allowed', 'session-expired');
        }
        if (session.isBusy) throw StanzaError.of('unexpected-request', 'the previous stage is still running');
        return session;
      };
      /** Runs an action. Until it is done, the session accepts no other action. */
      const advance = async (session: Session, act: () => CommandStep | Promise<CommandStep>): Promise<Element> => {
        session.isBusy = true;
        try {
          session.step = await act();
        } finally {
          session.isBusy = false;
        }
        if (isLast(session.step)) sessions.delete(session.id);
        else if (sessions.has(session.id)) store(session);
        return writeStep(session);
      };

      context.onIq(
        { type: 'set', ns: NS_COMMANDS, name: 'command' },
        senders.anyone,
        async (element, { from: requester }) => {
          const request = readCommand(element);
          if (request === undefined) throw refusal('bad-request', 'malformed-action');
          const { node, sessionId, action = 'execute', form } = request;
          const command = offers.get(node);
          if (command === undefined) throw StanzaError.of('item-not-found');
          if (!command.allowed(requester)) throw refusalOf(command);
          if (sessionId === undefined) {
            if (action !== 'execute') throw refusal('bad-request', 'bad-action');
            makeRoom(requester);
            const session: Session = { id: newId(), requester, command, step: {}, expiresAt: 0, isBusy: false };
            store(session);
            try {
              return await advance(session, () => command.start(session));
            } catch (error) {
              sessions.delete(session.id);
              throw error;
            }
          }
          const session = findSession(sessionId, node, requester);
          if (action === 'cancel') {
            sessions.delete(sessionId);
            return writeCommand({ node, sessionId, status: 'canceled', notes: [] });
          }
          const { step } = session;
          const chosen = action === 'execute' ? defaultOf(step) : action;
          const act = chosen === undefined ? undefined : step[chosen];
          if (act === undefined) throw refusal('bad-request', 'bad-action');
          // §3.5: a cancelled form counts as an answer.
          return advance(session, () => act(form));
        },
      );

      const call = async (entity: Jid, command: Command): Promise<RunningCommand> => {
        const payload = await context.iq({ to: entity, type: 'set', payload: writeCommand(command) });
        const answer = payload === undefined ? undefined : readCommand(payload.withAttributes({ action: undefined }));
        if (answer?.status === undefined || answer.node !== command.node) {
          throw new XmppError(`${entity.toString()} sent an invalid reply to the command '${command.node}'`);
        }
        const { node, sessionId, status } = answer;
        return {
          ...answer,
          status,
          async act(action, form) {
            if (status !== 'executing' || sessionId === undefined)
              throw new XmppError(`the command '${node}' has ended`);
            return call(entity, { node, sessionId, action, notes: [], ...(form === undefined ? {} : { form }) });
          },
        };
      };

      return {
        offer(command) {
          const withdraw = disco.offer(command.node, {
            info: (asker) => {
              if (!command.allowed(asker)) throw refusalOf(command);
              return {
                identities: [{ category: 'automation', type: 'command-node', name: command.name }],
                features: new Set([NS_COMMANDS, NS_DATA_FORMS]),
                forms: [],
              };
            },
          });
          offers.set(command.node, command);
          return () => {
            withdraw();
            if (offers.get(command.node) === command) offers.delete(command.node);
          };
        },
        list: (entity) => disco.items(entity, { node: NS_COMMANDS }),
        execute: async (entity, node) => call(Jid.from(entity), { node, action: 'execute', notes: [] }),
      };
    },
  });
}

/** Ad-hoc commands: `client.get(adHocCommands)` offers ours and runs those of others. */
export const adHocCommands = adHocCommandsWith(LIMITS);

function refusalOf({ hidden = false }: OfferedCommand): StanzaError {
  return StanzaError.of(hidden ? 'item-not-found' : 'forbidden');
}

function isLast({ next, complete }: CommandStep): boolean {
  return next === undefined && complete === undefined;
}

/** The action that `execute` means at a stage (§3.4). */
function defaultOf({ next, complete }: CommandStep): 'next' | 'complete' | undefined {
  if (next !== undefined) return 'next';
  return complete === undefined ? undefined : 'complete';
}

function writeStep({ id: sessionId, command: { node }, step }: Session): Element {
  const { form, notes = [], payloads = [] } = step;
  const common = { node, sessionId, notes, payloads, ...(form === undefined ? {} : { form }) };
  if (isLast(step)) return writeCommand({ ...common, status: 'completed' });
  const actions = (['prev', 'next', 'complete'] as const).filter((action) => step[action] !== undefined);
  const defaultAction = defaultOf(step);
  return writeCommand({
    ...common,
    status: 'executing',
    actions,
    ...(defaultAction === undefined ? {} : { defaultAction }),
  });
}

/** A stanza error with a condition of ad-hoc commands (§4.4). */
function refusal(condition: 'bad-request' | 'not-allowed', detail: string): StanzaError {
  const { type } = StanzaError.of(condition);
  return new StanzaError(type, condition, undefined, undefined, { application: el(detail, NS_COMMANDS) });
}

function isAction(action: string): action is CommandAction {
  return ACTIONS.has(action);
}

function isStatus(status: string | undefined): status is CommandStatus {
  return status !== undefined && STATUSES.has(status);
}
