/**
 * XEP-0388 Extensible SASL Profile, 1.0.4 (Stable). https://xmpp.org/extensions/xep-0388.html
 *
 * Logs in without restarting the stream, and in the same round trip requests all inline features: resumption (XEP-0198), a resource
 * (XEP-0386), a token for the next login (XEP-0484). docs/coming-online.md counts the round trips saved. The SASL exchange, with its choice
 * of mechanism and its checks, is that of RFC 6120; this profile is tried first.
 *
 * Left out: tasks (§2.6.3): if the server requires one, the login fails with an error that names it. TLS early data.
 */
import { SaslError } from '../xmpp-core/errors.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, type Plugin } from '../xmpp-core/plugin.js';
import { encodeBase64 } from '../xmpp-core/sasl/base64.js';
import type { Storage } from '../xmpp-core/storage.js';
import { readBindingTypes, readMechanisms, type SaslOffer } from '../xmpp-core/stream/authenticator.js';
import { isOf } from '../xmpp-core/stream/bind.js';
import { exchange, type SaslProfile } from '../xmpp-core/stream/sasl-exchange.js';
import {
  inlineRequests,
  type Credential,
  type InlineRequest,
  type Negotiation,
} from '../xmpp-core/stream/stream-feature.js';
import { el, type Element } from '../xmpp-core/xml/element.js';

/** The namespace of SASL2. */
export const NS_SASL2 = 'urn:xmpp:sasl:2';

/** What the server may show about this client, to the owner of the account only (§2.3). */
export interface UserAgent {
  /** For example `AwesomeXMPP`. */
  readonly software?: string;
  /** For example `Kiva's phone`. */
  readonly device?: string;
}

/** The plugin with a description of the client. */
export function sasl2With(userAgent: UserAgent): Plugin<void> {
  return definePlugin({
    name: 'sasl2',
    xep: 388,
    setup(context) {
      context.streamFeature({
        name: 'sasl2',
        // Before RFC 6120, which is for servers that do not offer SASL2.
        order: 190,

        offered(features, { stream, authenticated }) {
          // §4: only after TLS.
          if (authenticated !== undefined || stream.security === undefined) return undefined;
          const authentication = features.child('authentication', NS_SASL2);
          // The list of channel binding types is a sibling element, so the offer is the whole of the features.
          return authentication?.child('mechanism') === undefined ? undefined : features;
        },

        async negotiate(features, negotiation) {
          const id = await installationId(context.storage, negotiation.account);
          await logIn(features, writeUserAgent(id, userAgent), negotiation);
          return 'new-features';
        },
      });
    },
  });
}

/** The plugin that sends only an installation id. */
export const sasl2: Plugin<void> = sasl2With({});

/**
 * Tries a token, if a feature has one, then the credentials of the account. The second attempt is no downgrade: its mechanism is chosen as
 * if there were no token, so an attacker gains nothing by making the token fail. The stream is unchanged after a failure (§2.6.2).
 */
async function logIn(features: Element, userAgent: Element, negotiation: Negotiation): Promise<void> {
  const authentication = features.child('authentication', NS_SASL2);
  const requests = await inlineRequests('authentication', authentication?.child('inline'), negotiation);
  const profile = profileWith(userAgent, ...requests.map(({ element }) => element));

  const credential = requests.find((request) => request.credential !== undefined)?.credential;
  if (credential !== undefined) {
    const success = await tryCredential(credential, profile, negotiation);
    if (success === undefined) await logIn(features, userAgent, negotiation);
    else await finishLogin(success, credential.mechanism.name, requests, negotiation);
    return;
  }

  const offer: SaslOffer = {
    mechanisms: authentication === undefined ? [] : readMechanisms(authentication),
    // SASL2 requires XEP-0440 (§2.1), so a missing list counts as an empty one.
    bindingTypes: readBindingTypes(features) ?? [],
  };
  const outcome = await negotiation.authenticator.authenticate(profile, offer, negotiation);
  if ('refusal' in outcome) throw outcome.refusal;
  await finishLogin(outcome.success, outcome.mechanism, requests, negotiation);
}

async function finishLogin(
  success: Element,
  mechanism: string,
  requests: readonly InlineRequest[],
  negotiation: Negotiation,
): Promise<void> {
  negotiation.authorized = readAuthorized(success, negotiation);
  negotiation.authenticated = mechanism;
  for (const request of requests) await request.answered(success);
}

/** @returns `undefined` if the server rejects the credential, which is then never used again */
async function tryCredential(
  credential: Credential,
  profile: SaslProfile,
  negotiation: Negotiation,
): Promise<Element | undefined> {
  try {
    const outcome = await exchange(credential.mechanism, profile, negotiation);
    if ('success' in outcome) return outcome.success;
    await credential.failed(outcome.refusal);
    return undefined;
  } catch (error) {
    // A server that breaks the protocol gets no second attempt on this connection.
    if (error instanceof SaslError) await credential.failed(error);
    throw error;
  }
}

/** The SASL2 encoding of the exchange (§2.2, §2.3). @param parts inline requests, sent with the first element */
function profileWith(...parts: readonly Element[]): SaslProfile {
  return {
    ns: NS_SASL2,
    begin: (mechanism, initial) =>
      el(
        'authenticate',
        NS_SASL2,
        { mechanism },
        el('initial-response', NS_SASL2, {}, encodeBase64(initial)),
        ...parts,
      ),
    additionalData: (success) => success.childText('additional-data'),
    otherEnd: (answer) =>
      answer.is('continue', NS_SASL2)
        ? { additionalData: answer.childText('additional-data'), error: continueError(answer) }
        : undefined,
  };
}

/** §2.6.3: the client is authenticated, but the server requires a further task. */
function continueError(answer: Element): SaslError {
  const tasks = answer.child('tasks')?.children('task') ?? [];
  const names = tasks.map(({ text }) => text.trim().slice(0, 40)).slice(0, 5);
  const serverText = answer.childText('text')?.slice(0, 200);
  const tasksText = names.length === 0 ? 'another step' : names.map((name) => JSON.stringify(name)).join(' or ');
  return new SaslError(
    'continue',
    `the password was accepted, but the server also requires ${tasksText}, which this client does not support; ` +
      `use an account that does not need it${serverText === undefined ? '' : `; the server says: ${serverText}`}`,
  );
}

/** §2.6.1: the identity that the server granted, which has to be our account. */
function readAuthorized(success: Element, { account, stream }: Negotiation): Jid {
  const authorized = Jid.fromWire(success.childText('authorization-identifier')?.trim());
  if (authorized !== undefined && isOf(account, authorized)) return authorized;
  throw new SaslError(
    'foreign-identity',
    `${stream.peer} authenticated us as another account than ${account.toString()}, or did not say as which`,
  );
}

/** §2.3: a UUID of this installation. It differs for each account, so that accounts cannot be linked. */
async function installationId(storage: Storage, account: Jid): Promise<string> {
  const key = `installation-id ${account.toString()}`;
  const known = await storage.get(key);
  if (known !== undefined) return known;
  const id = crypto.randomUUID();
  await storage.set(key, id);
  return id;
}

function writeUserAgent(id: string, { software, device }: UserAgent): Element {
  return el(
    'user-agent',
    NS_SASL2,
    { id },
    software === undefined ? undefined : el('software', NS_SASL2, {}, software),
    device === undefined ? undefined : el('device', NS_SASL2, {}, device),
  );
}
