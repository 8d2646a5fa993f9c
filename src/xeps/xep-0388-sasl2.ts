/**
 * XEP-0388 Extensible SASL Profile, 1.0.4 (Stable). https://xmpp.org/extensions/xep-0388.html
 *
 * Logs in without opening the stream anew, and asks in the same breath for all that other features can have inline: a resumed
 * session (XEP-0198), a resource (XEP-0386), a token for the next time (XEP-0484). docs/coming-online.md counts what that saves.
 * The exchange of SASL, with its choice of a mechanism and its guards, is that of RFC 6120; what is offered goes before it.
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

export const NS_SASL2 = 'urn:xmpp:sasl:2';

/** What the server may show to the owner of the account about this client, and to nobody else (§2.3). */
export interface UserAgent {
  /** Such as `AwesomeXMPP`. */
  readonly software?: string;
  /** Such as `Kiva's phone`. */
  readonly device?: string;
}

/** The plugin of a client that says what it is and where it runs. */
export function sasl2As(userAgent: UserAgent): Plugin<void> {
  return definePlugin({
    name: 'sasl2',
    xep: 388,
    setup(context) {
      context.streamFeature({
        name: 'sasl2',
        // Before the profile of RFC 6120, which is for servers that do not offer this one.
        order: 190,

        offered(features, { stream, authenticated }) {
          // §4: only after TLS.
          if (authenticated !== undefined || stream.security === undefined) return undefined;
          const authentication = features.child('authentication', NS_SASL2);
          // The list of binding types stands beside it, so the whole of the features is the offer.
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

/** The plugin of a client that says nothing of itself but an id. */
export const sasl2: Plugin<void> = sasl2As({});

/**
 * One attempt with the token that a feature has, if one has any; then one with what the account has. The second is no retry by weaker
 * means: it is chosen as if there had been no token, so that who makes a token fail wins nothing by it. §2.6.2 has the stream
 * unchanged after a failure.
 */
async function logIn(features: Element, userAgent: Element, negotiation: Negotiation): Promise<void> {
  const authentication = features.child('authentication', NS_SASL2);
  const requests = await inlineRequests('authentication', authentication?.child('inline'), negotiation);
  const profile = profileWith(userAgent, ...requests.map(({ element }) => element));

  const credential = requests.find((request) => request.credential !== undefined)?.credential;
  if (credential !== undefined) {
    const success = await byCredential(credential, profile, negotiation);
    if (success === undefined) await logIn(features, userAgent, negotiation);
    else await letIn(success, credential.mechanism.name, requests, negotiation);
    return;
  }

  const offer: SaslOffer = {
    mechanisms: authentication === undefined ? [] : readMechanisms(authentication),
    // Whoever speaks this profile knows of XEP-0440 (§2.1): no list is an empty one.
    bindingTypes: readBindingTypes(features) ?? [],
  };
  const outcome = await negotiation.authenticator.authenticate(profile, offer, negotiation);
  if ('refusal' in outcome) throw outcome.refusal;
  await letIn(outcome.success, outcome.mechanism, requests, negotiation);
}

async function letIn(
  success: Element,
  mechanism: string,
  requests: readonly InlineRequest[],
  negotiation: Negotiation,
): Promise<void> {
  negotiation.authorized = readAuthorized(success, negotiation);
  negotiation.authenticated = mechanism;
  for (const request of requests) await request.answered(success);
}

/** @returns `undefined` when the server does not take the credential, which then is never used again */
async function byCredential(
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
    // A server that breaks the rules gets no second attempt on this connection.
    if (error instanceof SaslError) await credential.failed(error);
    throw error;
  }
}

/** How the bytes of the exchange are written (§2.2, §2.3), with what goes along in the first element. */
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
        ? { additionalData: answer.childText('additional-data'), error: continued(answer) }
        : undefined,
  };
}

/** §2.6.3: authenticated, but not let in before something else is done. */
function continued(answer: Element): SaslError {
  const tasks = answer.child('tasks')?.children('task') ?? [];
  const names = tasks.map(({ text }) => text.trim().slice(0, 40)).slice(0, 5);
  const words = answer.childText('text')?.slice(0, 200);
  const wanted = names.length === 0 ? 'another step' : names.map((name) => JSON.stringify(name)).join(' or ');
  return new SaslError(
    'continue',
    `the password was accepted, but the server also requires ${wanted}, which this client does not support; ` +
      `use an account that does not need it${words === undefined ? '' : `; the server says: ${words}`}`,
  );
}

/** §2.6.1: as whom the server let us in. It has to be us. */
function readAuthorized(success: Element, { account, stream }: Negotiation): Jid {
  const authorized = Jid.tryParse(success.childText('authorization-identifier')?.trim());
  if (authorized !== undefined && isOf(account, authorized)) return authorized;
  throw new SaslError(
    'foreign-identity',
    `${stream.peer} authenticated us as another account than ${account.toString()}, or did not say as which`,
  );
}

/** §2.3: a UUID that stays the same for this installation; another one for each account, so that it does not tie them together. */
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
