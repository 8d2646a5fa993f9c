/**
 * XEP-0050 Ad-Hoc Commands, 1.3.0 (Stable). https://xmpp.org/extensions/xep-0050.html
 *
 * Runs the commands of others, stage by stage, and offers ours to those who may run them. What can be done at a stage of ours follows
 * from which functions it has: `next`, `complete`, `prev`. Whoever may not run a command does not see it in the list.
 *
 * Left out: announcing the command list in a message (§2.3); languages.
 */
import { StanzaError, XmppError } from '../xmpp-core/errors.js';
import type { Disposer } from '../xmpp-core/events.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, from, type Plugin } from '../xmpp-core/plugin.js';
import { newId } from '../xmpp-core/stanza/ids.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { childForm, NS_DATA_FORMS, writeDataForm, type DataForm } from './xep-0004-data-forms.js';
import { serviceDiscovery, type DiscoItem } from './xep-0030-service-discovery.js';

export const NS_COMMANDS = 'http://jabber.org/protocol/commands';

export type CommandStatus = 'executing' | 'completed' | 'canceled';
/** §4.1; `execute` stands for the one that the other side proposes. */
export type CommandAction = 'execute' | 'cancel' | 'prev' | 'next' | 'complete';

/** A sentence for the user. */
export interface CommandNote {
  readonly type: 'info' | 'warn' | 'error';
  readonly text: string;
}

/** A `<command/>`, of either side. */
export interface Command {
  readonly node: string;
  readonly sessionId?: string;
  readonly action?: CommandAction;
  readonly status?: CommandStatus;
  /** What can be done next, beside canceling; none where it does not say. */
  readonly actions?: readonly CommandAction[];
  /** What `execute` stands for. */
  readonly defaultAction?: CommandAction;
  readonly notes: readonly CommandNote[];
  readonly form?: DataForm;
  /** What else there is, such as links (XEP-0066). */
  readonly payloads?: readonly Element[];
}

const STATUSES: ReadonlySet<string> = new Set<CommandStatus>(['executing', 'completed', 'canceled']);
const ACTIONS: ReadonlySet<string> = new Set<CommandAction>(['execute', 'cancel', 'prev', 'next', 'complete']);

/** Reads it; `undefined` without a node, or with an action that there is not. */
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
    // §3.4: what it proposes has to be among what it allows.
    ...(isAction(proposed) && actions.includes(proposed) ? { defaultAction: proposed } : {}),
    notes: command.children('note').map((note) => {
      const type = note.attr('type');
      return { type: type === 'warn' || type === 'error' ? type : 'info', text: note.text };
    }),
    ...(form === undefined ? {} : { form }),
    ...(payloads.length === 0 ? {} : { payloads }),
  };
}

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

/** Who runs a command of ours. */
export interface CommandSession {
  readonly id: string;
  /** Full; of an occupant of a room it is the room's, with the nick as resource. */
  readonly requester: Jid;
}

/**
 * A stage of a command of ours. With `next` or `complete` it waits for an answer; without both it is the end. An error that the user
 * should read is a note of type `error`; a thrown `StanzaError` is sent as it is, and the stage stays.
 */
export interface CommandStep {
  readonly form?: DataForm;
  readonly notes?: readonly CommandNote[];
  readonly payloads?: readonly Element[];
  readonly next?: (answer: DataForm | undefined) => CommandStep | Promise<CommandStep>;
  readonly complete?: (answer: DataForm | undefined) => CommandStep | Promise<CommandStep>;
  readonly prev?: (answer: DataForm | undefined) => CommandStep | Promise<CommandStep>;
}

/** A command of ours. */
export interface OfferedCommand {
  readonly node: string;
  /** For people. */
  readonly name: string;
  /** Who may see and run it; asked at every stage. */
  allowed(requester: Jid): boolean;
  /** Whether it is as if it were not there to those who may not run it; otherwise they are told that it is forbidden. */
  readonly hidden?: boolean;
  start(session: CommandSession): CommandStep | Promise<CommandStep>;
}

/** A command of somebody else's, as it stands. */
export interface RunningCommand extends Command {
  readonly status: CommandStatus;
  /** Goes on. @throws StanzaError, TimeoutError; XmppError when it is over */
  act(action: CommandAction, answer?: DataForm): Promise<RunningCommand>;
}

export interface AdHocCommands {
  /** Offers a command until the returned function is called. @throws XmppError when the node is taken */
  offer(command: OfferedCommand): Disposer;
  /** The commands of an entity that we may see. @throws StanzaError, TimeoutError */
  list(entity: Jid | string): Promise<readonly DiscoItem[]>;
  /** Begins one. @throws StanzaError, TimeoutError; XmppError when the answer is none */
  execute(entity: Jid | string, node: string): Promise<RunningCommand>;
}

interface Session extends CommandSession {
  readonly command: OfferedCommand;
  step: CommandStep;
  expiresAt: number;
  isBusy: boolean;
}

/** How long a session waits for its user; how many there may be, of one account and in all. */
export interface AdHocLimits {
  readonly sessionMs: number;
  readonly sessionsOfOne: number;
  readonly sessions: number;
}

const LIMITS: AdHocLimits = { sessionMs: 600_000, sessionsOfOne: 4, sessions: 256 };

/** The plugin with other limits than the usual ones: ten minutes, 4 and 256 sessions. */
export function adHocCommandsWith({ sessionMs, sessionsOfOne, sessions: max }: AdHocLimits): Plugin<AdHocCommands> {
  return definePlugin({
    name: 'ad-hoc-commands',
    xep: 50,
    features: [NS_COMMANDS, NS_DATA_FORMS],
    requires: [serviceDiscovery],
    setup(context): AdHocCommands {
      const disco = context.get(serviceDiscovery);
      const offers = new Map<string, OfferedCommand>();
      /** In the order in which they expire. */
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

      const remember = (session: Session): void => {
        sessions.delete(session.id);
        session.expiresAt = performance.now() + sessionMs;
        sessions.set(session.id, session);
      };
      /** Makes room: what has expired goes, then an account's own oldest. */
      const admit = (requester: Jid): void => {
        const now = performance.now();
        for (const { id, expiresAt } of sessions.values()) if (expiresAt <= now) sessions.delete(id);
        const theirs = [...sessions.values()].filter((session) => session.requester.bare.equals(requester.bare));
        for (const { id } of theirs.slice(0, Math.max(0, theirs.length - sessionsOfOne + 1))) sessions.delete(id);
        if (sessions.size >= max) throw StanzaError.of('resource-constraint', 'too many commands are running');
      };
      const ongoing = (sessionId: string, node: string, requester: Jid): Session => {
        const session = sessions.get(sessionId);
        // Somebody else's session is told from none at all by nobody (§3.3).
        if (session === undefined || session.command.node !== node || !session.requester.equals(requester))
          throw refusal('bad-request', 'bad-sessionid');
        if (session.expiresAt <= performance.now()) {
          sessions.delete(sessionId);
          throw refusal('not-allowed', 'session-expired');
        }
        if (session.isBusy) throw StanzaError.of('unexpected-request', 'the previous stage is still running');
        return session;
      };
      /** Does what is asked for. While it is done nothing else may happen to the session. */
      const advance = async (session: Session, act: () => CommandStep | Promise<CommandStep>): Promise<Element> => {
        session.isBusy = true;
        try {
          session.step = await act();
        } finally {
          session.isBusy = false;
        }
        if (isLast(session.step)) sessions.delete(session.id);
        else if (sessions.has(session.id)) remember(session);
        return writeStep(session);
      };

      context.onIq(
        { type: 'set', ns: NS_COMMANDS, name: 'command' },
        from.anyone,
        async (element, { from: requester }) => {
          const request = readCommand(element);
          if (request === undefined) throw refusal('bad-request', 'malformed-action');
          const { node, sessionId, action = 'execute', form } = request;
          const command = offers.get(node);
          if (command === undefined) throw StanzaError.of('item-not-found');
          if (!command.allowed(requester)) throw refused(command);
          if (sessionId === undefined) {
            if (action !== 'execute') throw refusal('bad-request', 'bad-action');
            admit(requester);
            const session: Session = { id: newId(), requester, command, step: {}, expiresAt: 0, isBusy: false };
            remember(session);
            try {
              return await advance(session, () => command.start(session));
            } catch (error) {
              sessions.delete(session.id);
              throw error;
            }
          }
          const session = ongoing(sessionId, node, requester);
          if (action === 'cancel') {
            sessions.delete(sessionId);
            return writeCommand({ node, sessionId, status: 'canceled', notes: [] });
          }
          const { step } = session;
          const wanted = action === 'execute' ? defaultOf(step) : action;
          const act = wanted === undefined ? undefined : step[wanted];
          if (act === undefined) throw refusal('bad-request', 'bad-action');
          // §3.5: a form that was canceled counts as an answer.
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
              if (!command.allowed(asker)) throw refused(command);
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

export const adHocCommands = adHocCommandsWith(LIMITS);

function refused({ hidden = false }: OfferedCommand): StanzaError {
  return StanzaError.of(hidden ? 'item-not-found' : 'forbidden');
}

function isLast({ next, complete }: CommandStep): boolean {
  return next === undefined && complete === undefined;
}

/** What `execute` means at a stage (§3.4). */
function defaultOf({ next, complete }: CommandStep): 'next' | 'complete' | undefined {
  if (next !== undefined) return 'next';
  return complete === undefined ? undefined : 'complete';
}

function writeStep({ id: sessionId, command: { node }, step }: Session): Element {
  const { form, notes = [], payloads = [] } = step;
  const shown = { node, sessionId, notes, payloads, ...(form === undefined ? {} : { form }) };
  if (isLast(step)) return writeCommand({ ...shown, status: 'completed' });
  const actions = (['prev', 'next', 'complete'] as const).filter((action) => step[action] !== undefined);
  const defaultAction = defaultOf(step);
  return writeCommand({
    ...shown,
    status: 'executing',
    actions,
    ...(defaultAction === undefined ? {} : { defaultAction }),
  });
}

/** §4.4: an error of commands beside that of the stanza. */
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
