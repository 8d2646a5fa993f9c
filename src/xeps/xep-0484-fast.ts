/**
 * XEP-0484 Fast Authentication Streamlining Tokens, 0.2.0 (Proposed). https://xmpp.org/extensions/xep-0484.html
 *
 * After a login by password the server gives a token; the next login is by that, in one round trip and without the password. The token
 * is kept in the client's storage, is used only for the account and by the mechanism it was given for, and is dropped when it has
 * expired, when the server refuses it, or when the server does not prove that it knows it too.
 *
 * Left out: TLS early data (§3.4), which node:tls cannot send.
 */
import { definePlugin, type Plugin } from '../xmpp-core/plugin.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import {
  HashedToken,
  hashedTokenChoices,
  type HashedTokenChoice,
  type HashedTokenName,
} from '../xmpp-core/sasl/hashed-token.js';
import type { Storage } from '../xmpp-core/storage.js';
import { inlineOnly, type InlineRequest, type Negotiation } from '../xmpp-core/stream/stream-feature.js';
import { readBindingTypes } from '../xmpp-core/stream/authenticator.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { readDateTime, writeDateTime } from './xep-0082-date-time.js';
import { sasl2 } from './xep-0388-sasl2.js';

export const NS_FAST = 'urn:xmpp:fast:0';

/** Longer tokens are not kept. */
const MAX_TOKEN = 1024;

/** What users of the plugin get. */
export interface Fast {
  /** Forgets the token, so that the next login is by the password: after that was changed, or when somebody may have seen the token. */
  forget(): Promise<void>;
  /** Has the next login use the token a last time and ask the server to forget it too (§3.6): before this client is given away. */
  revoke(): Promise<void>;
}

export const fast: Plugin<Fast> = definePlugin({
  name: 'fast',
  xep: 484,
  requires: [sasl2],
  setup(context) {
    const tokens = new Tokens(context.storage);
    context.streamFeature(
      inlineOnly('fast', 250, {
        within: 'authentication',

        async offered(inline, negotiation) {
          const offer = inline.child('fast', NS_FAST);
          const choices = offer === undefined ? [] : choicesHere(offer, negotiation);
          const [strongest] = choices;
          if (strongest === undefined) return undefined;
          const token = await tokens.get(negotiation.account);
          const choice = choices.find(({ name }) => name === token?.mechanism);
          return token === undefined || choice === undefined
            ? tokenRequest(strongest.name, negotiation.account, tokens)
            : tokenLogin(token, choice, negotiation.account, tokens);
        },
      }),
    );
    return {
      forget: () => tokens.set(context.account, undefined),
      revoke: async () => {
        const token = await tokens.get(context.account);
        if (token !== undefined) await tokens.set(context.account, { ...token, isRevoked: true });
      },
    };
  },
});

/** The mechanisms for tokens that both sides know, with what they are bound to on this connection; strongest first. */
function choicesHere(offer: Element, { stream, authenticator, offers }: Negotiation): readonly HashedTokenChoice[] {
  // §5: only where TLS protects it; and a token stands in for the password, not for a certificate.
  if (stream.security === undefined || !authenticator.byPassword) return [];
  const offered = offer.children('mechanism').map(({ text }) => text.trim());
  const types = (offers === undefined ? undefined : readBindingTypes(offers)) ?? [];
  const bindings = authenticator
    .channelBindings(stream.security, types.length > 0)
    .filter(({ type }) => types.includes(type));
  return hashedTokenChoices(offered, bindings, authenticator.mustBind);
}

/** §3.2: asks for a token along with a login by password. */
function tokenRequest(mechanism: HashedTokenName, account: Jid, tokens: Tokens): InlineRequest {
  return {
    element: el('request-token', NS_FAST, { mechanism }),
    async answered(success) {
      const token = readToken(success, mechanism);
      if (token !== undefined) await tokens.set(account, token);
    },
  };
}

/** §3.4: the login by token. Each use is counted before it is sent, so that no two of them look alike to the server. */
async function tokenLogin(
  token: Token,
  choice: HashedTokenChoice,
  account: Jid,
  tokens: Tokens,
): Promise<InlineRequest> {
  const used = { ...token, count: token.count + 1 };
  await tokens.set(account, used);
  return {
    element: el('fast', NS_FAST, { count: used.count, invalidate: used.isRevoked ? true : undefined }),
    credential: {
      mechanism: new HashedToken(choice, account.localpart, token.token),
      failed: () => tokens.set(account, undefined),
    },
    async answered(success) {
      // §3.5: the server may give a new one in its place.
      const rotated = readToken(success, token.mechanism);
      if (rotated !== undefined) await tokens.set(account, rotated);
      else if (used.isRevoked) await tokens.set(account, undefined);
    },
  };
}

/** A token, as it is kept. */
interface Token {
  readonly token: string;
  /** The one it was given for: the server takes it by no other (§3.4). */
  readonly mechanism: HashedTokenName;
  readonly expiry: Date;
  /** How often it was used. */
  readonly count: number;
  readonly isRevoked: boolean;
}

/** §3.3; `undefined` when there is none, or none that can be used. */
function readToken(success: Element, mechanism: HashedTokenName): Token | undefined {
  const element = success.child('token', NS_FAST);
  const token = element?.attr('token') ?? '';
  const expiry = readDateTime(element?.attr('expiry'));
  if (token === '' || token.length > MAX_TOKEN || expiry === undefined) return undefined;
  return { token, mechanism, expiry, count: 0, isRevoked: false };
}

/** The tokens that are kept: one for each account. */
class Tokens {
  readonly #storage: Storage;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** The token of an account, unless it has expired. */
  async get(account: Jid): Promise<Token | undefined> {
    const token = parseToken(await this.#storage.get(keyOf(account)));
    return token === undefined || token.expiry.getTime() <= Date.now() ? undefined : token;
  }

  async set(account: Jid, token: Token | undefined): Promise<void> {
    const kept = token === undefined ? undefined : { ...token, expiry: writeDateTime(token.expiry) };
    await this.#storage.set(keyOf(account), kept === undefined ? undefined : JSON.stringify(kept));
  }
}

function keyOf(account: Jid): string {
  return `fast-token ${account.toString()}`;
}

/** What `Tokens.set` wrote; anything else is no token, and one login by password mends it. */
function parseToken(text: string | undefined): Token | undefined {
  if (text === undefined) return undefined;
  try {
    const kept = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const { token, mechanism, count } = kept;
    const expiry = readDateTime(String(kept['expiry']));
    if (typeof token !== 'string' || typeof count !== 'number' || expiry === undefined) return undefined;
    return { token, mechanism: mechanism as HashedTokenName, expiry, count, isRevoked: kept['isRevoked'] === true };
  } catch {
    return undefined;
  }
}
