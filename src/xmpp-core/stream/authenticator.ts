/** Authenticates the account, by either SASL profile. Nothing else holds the account's password. */
import type { Jid } from '../jid/jid.js';
import type { ChannelBindingPolicy } from '../sasl/binding.js';
import { chooseMechanism } from '../sasl/choice.js';
import type { ChannelBinding, Mechanism } from '../sasl/mechanism.js';
import { SaltedPasswordCache } from '../sasl/salted-password-cache.js';
import type { Storage } from '../storage.js';
import type { Security } from '../transport/transport.js';
import type { Element } from '../xml/element.js';
import { exchange, type ExchangePlace, type Outcome, type SaslProfile } from './sasl-exchange.js';

/** XEP-0440 SASL Channel-Binding Type Capability. */
const NS_CHANNEL_BINDING = 'urn:xmpp:sasl-cb:0';

/** How an account logs in: by its password, by its TLS client certificate (XEP-0178), or anonymously (XEP-0175). */
export type Login = 'password' | 'EXTERNAL' | 'ANONYMOUS';

/** How the account logs in, and what it allows. */
export interface AuthenticatorOptions {
  /** Default: `password`. */
  readonly login?: Login | undefined;
  /** Needed for the login `password`. */
  readonly password: string | undefined;
  /** Stores the `Pin` of the account. */
  readonly storage: Storage;
  /** Default: `preferred`. */
  readonly channelBinding?: ChannelBindingPolicy | undefined;
}

/** What a server offers in one profile of SASL. */
export interface SaslOffer {
  readonly mechanisms: readonly string[];
  /** See `SaslContext.serverBindingTypes`. */
  readonly bindingTypes: readonly string[] | undefined;
}

/** Makes the login attempts of one account. */
export class Authenticator {
  readonly #login: Login;
  readonly #password: string | undefined;
  readonly #storage: Storage;
  readonly #channelBinding: ChannelBindingPolicy;
  readonly #saltedPasswords = new SaltedPasswordCache();

  constructor({ login = 'password', password, storage, channelBinding = 'preferred' }: AuthenticatorOptions) {
    this.#login = login;
    this.#password = password;
    this.#storage = storage;
    this.#channelBinding = channelBinding;
  }

  /**
   * Makes one attempt with one mechanism, the strongest that both sides support and the account allows.
   * @returns the mechanism's name, and the server's decision
   * @throws SaslError when there is no such mechanism, or when the server violates its rules
   */
  async authenticate(
    profile: SaslProfile,
    offer: SaslOffer,
    place: ExchangePlace,
  ): Promise<Outcome & { readonly mechanism: string }> {
    const { account } = place;
    const pinned = await this.#storage.get(pinKey(account));
    const mechanism = this.#choose(offer, place, pinned === 'never-plain');
    const outcome = await exchange(mechanism, profile, place);
    if ('success' in outcome && mechanism.pin !== undefined && mechanism.pin !== pinned) {
      await this.#storage.set(pinKey(account), mechanism.pin);
    }
    return { ...outcome, mechanism: mechanism.name };
  }

  /** The channel bindings that the account's policy allows. @param isServerAble whether the server announces channel binding at all */
  channelBindings(security: Security | undefined, isServerAble: boolean): readonly ChannelBinding[] {
    return this.#channelBinding === 'off' ? [] : ownBindings(security, isServerAble);
  }

  /** Whether a login without channel binding is forbidden. */
  get mustBind(): boolean {
    return this.#channelBinding === 'required';
  }

  /** Whether the account logs in by its password, which a token of the server may replace. */
  get byPassword(): boolean {
    return this.#login === 'password';
  }

  #choose({ mechanisms, bindingTypes }: SaslOffer, place: ExchangePlace, neverPlain: boolean): Mechanism {
    const { stream, account, signal } = place;
    const isServerAble = mechanisms.some(isBound) || (bindingTypes !== undefined && bindingTypes.length > 0);
    return chooseMechanism(
      {
        credentials:
          this.#password === undefined ? undefined : { username: account.localpart, password: this.#password },
        secure: stream.security !== undefined,
        offered: mechanisms,
        channelBindings: ownBindings(stream.security, isServerAble),
        serverBindingTypes: bindingTypes,
        randomBytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
        saltedPasswords: this.#saltedPasswords,
        signal,
      },
      {
        pinned: neverPlain ? 'never-plain' : undefined,
        only: this.#login === 'password' ? undefined : this.#login,
        channelBinding: this.#channelBinding,
      },
    );
  }
}

/** Reads the `<mechanism/>` children, which all profiles share. */
export function readMechanisms(list: Element): readonly string[] {
  return list.children('mechanism').map(({ text }) => text.trim());
}

/** Reads the server's list of channel-binding types (XEP-0440 §3); `undefined` if there is none. */
export function readBindingTypes(features: Element): readonly string[] | undefined {
  const list = features.child('sasl-channel-binding', NS_CHANNEL_BINDING);
  return list?.children('channel-binding').flatMap((type) => type.attr('type') ?? []);
}

/**
 * Our channel bindings. If TLS may end in front of the server, a server that announces no binding cannot see ours. Claiming support
 * (`y`, RFC 5802 §6) would look like an attack to it, and some servers then reject the login.
 */
function ownBindings(security: Security | undefined, isServerAble: boolean): readonly ChannelBinding[] {
  return security === undefined || (!security.endsAtServer && !isServerAble) ? [] : security.channelBindings;
}

function isBound(mechanism: string): boolean {
  return mechanism.endsWith('-PLUS');
}

function pinKey(account: Jid): string {
  return `sasl-pin ${account.toString()}`;
}
