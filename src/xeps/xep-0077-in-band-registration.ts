/**
 * XEP-0077 In-Band Registration, 2.4 (Final). https://xmpp.org/extensions/xep-0077.html
 *
 * Makes an account on a server that lets anybody do so, before there is one to log in with; changes its password; gives it up. Forms
 * (XEP-0004) go before the fields of old, and where a server wants people to come to its web site the error says where that is.
 *
 * Left out: registration with gateways and other services; forms in the error response to a change (§3.2, §3.3).
 */
import { connectFirst, type Route } from '../xmpp-core/connecting.js';
import { withDeadline } from '../xmpp-core/deadline.js';
import { StanzaError, StreamError, XmppError } from '../xmpp-core/errors.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, type Plugin } from '../xmpp-core/plugin.js';
import { newId } from '../xmpp-core/stanza/ids.js';
import { NS_CLIENT } from '../xmpp-core/stanza/namespaces.js';
import { readStanzaError } from '../xmpp-core/stanza/stanza-error.js';
import { connectStream } from '../xmpp-core/stream/connect-stream.js';
import { offeredTls, acceptTls } from '../xmpp-core/stream/start-tls.js';
import type { XmlStream } from '../xmpp-core/stream/xml-stream.js';
import { httpRequest } from '../xmpp-core/transport/http.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { answerForm, childForm, writeDataForm, type DataForm } from './xep-0004-data-forms.js';
import { readOutOfBandData } from './xep-0066-out-of-band-data.js';

export const NS_REGISTER = 'jabber:iq:register';

/** What a server wants to know of who registers. */
export interface RegistrationQuestion {
  /** Whether there is an account already, of whoever asks. */
  readonly registered: boolean;
  readonly instructions?: string;
  /** Names of the fields of old (§14.1), all of which have to be filled in. */
  readonly fields: readonly string[];
  readonly form?: DataForm;
  /** Where people can register instead. */
  readonly url?: string;
}

/** Reads it. */
export function readRegistrationQuestion(query: Element): RegistrationQuestion {
  const fields = query.children().flatMap(({ ns, name }) => (ns === NS_REGISTER ? [name] : []));
  const instructions = query.childText('instructions')?.trim();
  const form = childForm(query);
  const url = readOutOfBandData(query)[0]?.url;
  return {
    registered: fields.includes('registered'),
    ...(instructions === undefined ? {} : { instructions }),
    fields: fields.filter((name) => name !== 'instructions' && name !== 'registered' && name !== 'remove'),
    ...(form === undefined ? {} : { form }),
    ...(url === undefined ? {} : { url }),
  };
}

/** Answers by the names of their fields. */
export type RegistrationAnswers = Readonly<Record<string, string>>;

/**
 * Writes the answer to a question: as a form where there is one, else in the fields of old, never both (§6).
 * @throws RegistrationError when something that is required has no answer
 */
export function answerRegistration(question: RegistrationQuestion, answers: RegistrationAnswers): Element {
  const { form, fields, url, instructions } = question;
  if (form === undefined && fields.length === 0) {
    const where = url ?? instructions ?? 'no other place';
    throw new RegistrationError(`this server does not take registrations over XMPP; it points to: ${where}`, question);
  }
  const required =
    form === undefined
      ? fields
      : form.fields.flatMap(({ name, required: isRequired = false, values }) =>
          name !== undefined && isRequired && values.length === 0 ? [name] : [],
        );
  const missing = required.filter((name) => (answers[name] ?? '') === '');
  if (missing.length > 0) {
    throw new RegistrationError(`the server requires more fields: ${missing.join(', ')}`, question);
  }
  if (form === undefined) {
    return el('query', NS_REGISTER, {}, ...fields.map((name) => el(name, NS_REGISTER, {}, answers[name])));
  }
  const asked = new Set(form.fields.map(({ name }) => name));
  const fitting = Object.fromEntries(Object.entries(answers).filter(([name]) => asked.has(name)));
  return el('query', NS_REGISTER, {}, writeDataForm(answerForm(form, fitting)));
}

/** An account could not be made or changed. */
export class RegistrationError extends XmppError {
  override readonly name = 'RegistrationError';
  /** What the server asked, if that is where it ended: with instructions, and perhaps the URL of a web site. */
  readonly question: RegistrationQuestion | undefined;

  constructor(message: string, question?: RegistrationQuestion, options: { readonly cause?: unknown } = {}) {
    super(message, options);
    this.question = question;
  }
}

/** A new account, and the way to its server: as in `ClientOptions`. */
export interface RegistrationOptions extends Omit<Partial<Route>, 'domain' | 'http'> {
  /** The account to be, bare. */
  readonly jid: Jid;
  readonly password: string;
  readonly ca?: string;
  /** What else the server may want to know, such as `email`, when that is known before it asks. */
  readonly answers?: RegistrationAnswers;
  /** Answers what it does ask: a CAPTCHA, a code. May take its time. */
  readonly ask?: (question: RegistrationQuestion) => Promise<RegistrationAnswers>;
  readonly signal?: AbortSignal;
}

const TIMEOUT_MS = 30_000;

/**
 * Makes an account, on a stream of its own that TLS protects and nobody logs in to.
 * @throws RegistrationError when the server does not let us; ConnectError, TlsError, TimeoutError, the signal's reason
 */
export async function register(options: RegistrationOptions): Promise<void> {
  const { jid, password, ca, answers = {}, ask, signal = new AbortController().signal, ...way } = options;
  const { timeoutMs = TIMEOUT_MS } = way;
  const account = Jid.parse(jid.domainpart);
  const route: Route = {
    ...way,
    domain: jid.domainpart,
    timeoutMs,
    http: (request) => httpRequest({ ca, ...request }),
  };
  const stream = await connectFirst(
    route,
    async (target, deadline) => {
      const opened = await connectStream(target, { account, ca }, deadline);
      try {
        await secure(opened, deadline);
        return opened;
      } catch (error) {
        opened.destroy();
        throw error;
      }
    },
    signal,
  );
  try {
    const request = (type: 'get' | 'set', payload: Element): Promise<Element | undefined> =>
      withDeadline(`registering ${jid.toString()}`, timeoutMs, signal, (deadline) =>
        exchange(stream, jid.domainpart, type, payload, deadline),
      );
    const query = await request('get', el('query', NS_REGISTER));
    const question = readRegistrationQuestion(query ?? el('query', NS_REGISTER));
    const own = { username: jid.localpart, password, ...answers };
    await request('set', answerRegistration(question, { ...own, ...(await ask?.(question)) }));
  } catch (error) {
    throw error instanceof StanzaError ? explained(error, jid) : error;
  } finally {
    await stream.close(CLOSE_TIMEOUT_MS);
  }
}

const CLOSE_TIMEOUT_MS = 3_000;

/** The password goes over this stream: there is TLS on it, with the domain's certificate (§12). */
async function secure(stream: XmlStream, signal: AbortSignal): Promise<void> {
  const features = await stream.open(signal);
  if (offeredTls(features, stream) === undefined) return;
  await acceptTls(stream, signal);
  await stream.open(signal);
}

/** A request on a stream without a session: nothing else is under way on it. */
async function exchange(
  stream: XmlStream,
  to: string,
  type: 'get' | 'set',
  payload: Element,
  signal: AbortSignal,
): Promise<Element | undefined> {
  const id = newId();
  stream.send(el('iq', NS_CLIENT, { to, type, id }, payload));
  for (;;) {
    const answer = await stream.receive(signal);
    if (!answer.is('iq', NS_CLIENT) || answer.attr('id') !== id) continue;
    if (answer.attr('type') === 'error') throw readStanzaError(answer);
    return answer.child('query', NS_REGISTER);
  }
}

/** Says in a sentence what the conditions of §3.1 mean here. */
function explained(error: StanzaError, jid: Jid): RegistrationError {
  const name = jid.toString();
  const said = error.text === undefined ? '' : ` (${error.text})`;
  const reasons: Readonly<Partial<Record<StanzaError['condition'], string>>> = {
    conflict: `the account ${name} already exists`,
    'service-unavailable': `${jid.domainpart} does not let clients register; ask its operator for an account`,
    'feature-not-implemented': `${jid.domainpart} does not let clients register; ask its operator for an account`,
    'not-allowed': `${jid.domainpart} does not let us register; ask its operator for an account`,
    forbidden: `${jid.domainpart} does not let us register; ask its operator for an account`,
    'not-acceptable': `${jid.domainpart} does not accept what was given for ${name}: a better password or more details may help`,
    'resource-constraint': `${jid.domainpart} has had too many registrations; try again later`,
  };
  const reason = reasons[error.condition] ?? `${jid.domainpart} did not register ${name}: ${error.condition}`;
  return new RegistrationError(`${reason}${said}`, undefined, { cause: error });
}

export interface Registration {
  /**
   * Changes the password of our account. The client goes on with the one it has: give its next one the new one.
   * @param answers what else the server is known to want, such as the old password
   * @throws RegistrationError for none at all; StanzaError, TimeoutError
   */
  changePassword(password: string, answers?: RegistrationAnswers): Promise<void>;
  /**
   * Gives our account up, for good: the server then ends the session. Stop the client.
   * @throws StanzaError, TimeoutError
   */
  cancelAccount(): Promise<void>;
}

/** How servers end the sessions of an account that is gone. */
const GONE: ReadonlySet<string> = new Set(['not-authorized', 'conflict']);

export const registration: Plugin<Registration> = definePlugin({
  name: 'registration',
  xep: 77,
  setup(context): Registration {
    const request = async (...children: readonly Element[]): Promise<void> => {
      await context.iq({ type: 'set', payload: el('query', NS_REGISTER, {}, ...children) });
    };
    return {
      async changePassword(password, answers = {}) {
        // §3.3: a server would take it for a wish to keep the one there is.
        if (password === '') throw new RegistrationError('a password cannot be empty');
        const own = { username: context.account.localpart, password, ...answers };
        await request(...Object.entries(own).map(([name, value]) => el(name, NS_REGISTER, {}, value)));
      },
      async cancelAccount() {
        try {
          await request(el('remove', NS_REGISTER));
        } catch (error) {
          // §3.2.1: the end of the session is an answer too; ejabberd's result comes from our own full JID, which was not asked.
          const end = error instanceof XmppError ? error.cause : undefined;
          if (!(end instanceof StreamError && end.by === 'peer' && GONE.has(end.condition))) throw error;
        }
      },
    };
  },
});
