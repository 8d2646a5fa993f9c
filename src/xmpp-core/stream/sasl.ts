/** SASL as RFC 6120 §6 carries it: one mechanism, one attempt. What is inside the exchange is the business of `sasl/`. */
import { NegotiationError, SaslError } from '../errors.js';
import type { Jid } from '../jid/jid.js';
import { decodeBase64, encodeBase64 } from '../sasl/base64.js';
import type { ChannelBindingPolicy } from '../sasl/binding.js';
import { chooseMechanism } from '../sasl/choice.js';
import type { ChannelBinding, Mechanism } from '../sasl/mechanism.js';
import { SaltedPasswordCache } from '../sasl/salted-password-cache.js';
import { NS_SASL } from '../stanza/namespaces.js';
import type { Storage } from '../storage.js';
import type { Security } from '../transport/transport.js';
import { el, type Element } from '../xml/element.js';
import type { Negotiation, StreamFeature } from './stream-feature.js';

/** XEP-0440 SASL Channel-Binding Type Capability. */
const NS_CHANNEL_BINDING = 'urn:xmpp:sasl-cb:0';

/** How an account logs in: by its password, by the certificate shown in TLS (XEP-0178), or as nobody in particular (XEP-0175). */
export type Login = 'password' | 'EXTERNAL' | 'ANONYMOUS';

export interface SaslOptions {
  /** `password` unless told. */
  readonly login?: Login | undefined;
  readonly password: string | undefined;
  /** Keeps what a login teaches of an account (`Pin`). */
  readonly storage: Storage;
  /** `preferred` unless told. */
  readonly channelBinding?: ChannelBindingPolicy | undefined;
}

/** Authenticates the account. */
export function sasl({ login = 'password', password, storage, channelBinding }: SaslOptions): StreamFeature {
  const saltedPasswords = new SaltedPasswordCache();
  return {
    name: 'sasl',
    order: 200,

    offered(features, { stream, authenticated }) {
      if (authenticated !== undefined) return undefined;
      const mechanisms = features.child('mechanisms', NS_SASL);
      if (mechanisms === undefined) throw new NegotiationError(`${stream.peer} offers no way to authenticate`);
      // The list of binding types stands beside the mechanisms, so the whole of the features is the offer.
      return features;
    },

    async negotiate(features, negotiation) {
      const { stream, signal, account } = negotiation;
      const bindingTypes = features.child('sasl-channel-binding', NS_CHANNEL_BINDING)?.children('channel-binding');
      const offered = (features.child('mechanisms', NS_SASL)?.children('mechanism') ?? []).map(({ text }) =>
        text.trim(),
      );
      const pinned = await storage.get(pinKey(account));
      const mechanism = chooseMechanism(
        {
          credentials: password === undefined ? undefined : { username: account.localpart, password },
          secure: stream.security !== undefined,
          offered,
          channelBindings: ownBindings(stream.security, offered.some(isBound) || bindingTypes !== undefined),
          serverBindingTypes: bindingTypes?.flatMap((type) => type.attr('type') ?? []),
          randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
          saltedPasswords,
          signal,
        },
        {
          pinned: pinned === 'never-plain' ? pinned : undefined,
          only: login === 'password' ? undefined : login,
          channelBinding,
        },
      );
      await authenticate(mechanism, negotiation);
      if (mechanism.pin !== undefined && mechanism.pin !== pinned) await storage.set(pinKey(account), mechanism.pin);
      negotiation.authenticated = mechanism.name;
      return 'restart';
    },
  };
}

/**
 * What we can bind to. Where TLS may end before the server, a server that speaks of no binding cannot see ours: to claim that we could
 * bind (`y`, RFC 5802 §6) would tell it of an attack, and some then refuse the login.
 */
function ownBindings(security: Security | undefined, isServerAble: boolean): readonly ChannelBinding[] {
  return security === undefined || (!security.endsAtServer && !isServerAble) ? [] : security.channelBindings;
}

function isBound(mechanism: string): boolean {
  return mechanism.endsWith('-PLUS');
}

async function authenticate(mechanism: Mechanism, { stream, signal, account }: Negotiation): Promise<void> {
  const initial = await mechanism.initial();
  // RFC 6120 §6.4.2: an initial response of no bytes is written "=", so that it is not taken for the absence of one.
  stream.send(
    el('auth', NS_SASL, { mechanism: mechanism.name }, initial.byteLength === 0 ? '=' : encodeBase64(initial)),
  );
  for (;;) {
    const answer = await stream.receive(signal);
    if (answer.is('success', NS_SASL)) {
      mechanism.success(decode(answer));
      return;
    }
    if (answer.is('failure', NS_SASL)) throw readFailure(answer, account, stream.peer);
    if (!answer.is('challenge', NS_SASL)) {
      throw new NegotiationError(`${stream.peer} sent <${answer.name}/> in the middle of the authentication`);
    }
    const response = await mechanism.challenge(decode(answer) ?? new Uint8Array());
    stream.send(el('response', NS_SASL, {}, encodeBase64(response)));
  }
}

function decode(element: Element): Uint8Array | undefined {
  const text = element.text.trim();
  if (text === '') return undefined;
  const data = text === '=' ? new Uint8Array() : decodeBase64(text);
  if (data === undefined) throw new SaslError('incorrect-encoding', 'the server sent something that is not base64');
  return data;
}

const REMEDIES: ReadonlyMap<string, string> = new Map([
  ['not-authorized', 'the password is wrong, or there is no such account'],
  ['account-disabled', 'the account is disabled; ask the operator of the server'],
  ['credentials-expired', 'the password has expired; set a new one'],
  ['temporary-auth-failure', 'the server cannot check passwords at the moment'],
]);

/** What a `<failure/>` says (RFC 6120 §6.5), and what can be done about it. */
function readFailure(failure: Element, account: Jid, peer: string): SaslError {
  const condition = failure.children().find(({ name }) => name !== 'text')?.name ?? 'not-authorized';
  const remedy = REMEDIES.get(condition);
  const words = failure.childText('text')?.slice(0, 200);
  const text = [remedy, words === undefined ? undefined : `the server says: ${words}`].filter(
    (part) => part !== undefined,
  );
  return new SaslError(condition, `${peer} does not let ${account.toString()} in: ${text.join('; ') || condition}`);
}

function pinKey(account: Jid): string {
  return `sasl-pin ${account.toString()}`;
}
