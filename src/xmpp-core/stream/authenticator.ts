/** Who we are, and how that is proved: the one holder of the account's password. A profile of SASL brings the server's offer. */
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

/** How an account logs in: by its password, by the certificate shown in TLS (XEP-0178), or as nobody in particular (XEP-0175). */
export type Login = 'password' | 'EXTERNAL' | 'ANONYMOUS';

export interface AuthenticatorOptions {
  /** `password` unless told. */
  readonly login?: Login | undefined;
  readonly password: string | undefined;
  /** Keeps what a login teaches of an account (`Pin`). */
  readonly storage: Storage;
  /** `preferred` unless told. */
  readonly channelBinding?: ChannelBindingPolicy | undefined;
}

/** What a server offers in one profile of SASL. */
export interface SaslOffer {
  readonly mechanisms: readonly string[];
  /** See `SaslContext.serverBindingTypes`. */
  readonly bindingTypes: readonly string[] | undefined;
}

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
   * Makes one attempt with one mechanism, the strongest that both sides know and the account allows.
   * @returns its name, and how it ended
   * @throws SaslError when there is no such mechanism, or when the server breaks its rules
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

  /** What this side can bind to, as the account's policy wants it. @param isServerAble whether the server speaks of binding at all */
  channelBindings(security: Security | undefined, isServerAble: boolean): readonly ChannelBinding[] {
    return this.#channelBinding === 'off' ? [] : ownBindings(security, isServerAble);
  }

  /** Whether a login that is bound to nothing is out of the question. */
  get mustBind(): boolean {
    return this.#channelBinding === 'required';
  }

  /** Whether the account logs in by its password, and a token of the server may stand in for that. */
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

/** The mechanisms that are listed there, by any profile. */
export function readMechanisms(list: Element): readonly string[] {
  return list.children('mechanism').map(({ text }) => text.trim());
}

/** The channel-binding types that the server lists beside its mechanisms (XEP-0440 §3); `undefined` when it sent no list. */
export function readBindingTypes(features: Element): readonly string[] | undefined {
  const list = features.child('sasl-channel-binding', NS_CHANNEL_BINDING);
  return list?.children('channel-binding').flatMap((type) => type.attr('type') ?? []);
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

function pinKey(account: Jid): string {
  return `sasl-pin ${account.toString()}`;
}
