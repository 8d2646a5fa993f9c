/**
 * XEP-0484 Fast Authentication Streamlining Tokens, 0.2.0 (Proposed). https://xmpp.org/extensions/xep-0484.html
 *
 * After a login with a password the server issues a token; the next login uses it, in one round trip and without the password. The token is
 * kept in the client's storage, is used only for the account and mechanism it was issued for, and is dropped when it expires, when the
 * server rejects it, or when the server cannot prove that it knows it too.
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

/** The namespace of FAST. */
export const NS_FAST = 'urn:xmpp:fast:0';

/** Longer tokens are not stored. */
const MAX_TOKEN = 1024;

/** The handle of the plugin. */
export interface Fast {
  /** Deletes the token, so that the next login uses the password: after a change of the password, or if the token may have leaked. */
  forget(): Promise<void>;
  /** The next login uses the token once more and asks the server to invalidate it (§3.6): for example before the device is given away. */
  revoke(): Promise<void>;
}

/** Token logins: `client.get(fast)` deletes or revokes the token. Tokens are requested and used without further calls. */
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
          const choices = offer === undefined ? [] : availableChoices(offer, negotiation);
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

/** The token mechanisms that both sides support on this connection, with their channel bindings; strongest first. */
function availableChoices(
  offer: Element,
  { stream, authenticator, offers }: Negotiation,
): readonly HashedTokenChoice[] {
  // §5: only over TLS; and a token replaces the password, not a certificate.
  if (stream.security === undefined || !authenticator.byPassword) return [];
  const offered = offer.children('mechanism').map(({ text }) => text.trim());
  const types = (offers === undefined ? undefined : readBindingTypes(offers)) ?? [];
  const bindings = authenticator
    .channelBindings(stream.security, types.length > 0)
    .filter(({ type }) => types.includes(type));
  return hashedTokenChoices(offered, bindings, authenticator.mustBind);
}

/** §3.2: requests a token during a login with a password. */
function tokenRequest(mechanism: HashedTokenName, account: Jid, tokens: Tokens): InlineRequest {
  return {
    element: el('request-token', NS_FAST, { mechanism }),
    async answered(success) {
      const token = readToken(success, mechanism);
      if (token !== undefined) await tokens.set(account, token);
    },
  };
}

/** §3.4: logs in with the token. Each use is counted before it is sent, so that the server can detect replays. */
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
      // §3.5: the server may replace the token.
      const rotated = readToken(success, token.mechanism);
      if (rotated !== undefined) await tokens.set(account, rotated);
      else if (used.isRevoked) await tokens.set(account, undefined);
    },
  };
}

/** A stored token. */
interface Token {
  readonly token: string;
  /** The mechanism it was issued for; the server accepts no other (§3.4). */
  readonly mechanism: HashedTokenName;
  readonly expiry: Date;
  /** The number of uses. */
  readonly count: number;
  readonly isRevoked: boolean;
}

/** Reads an issued token (§3.3); `undefined` if there is none, or if it is invalid. */
function readToken(success: Element, mechanism: HashedTokenName): Token | undefined {
  const element = success.child('token', NS_FAST);
  const token = element?.attr('token') ?? '';
  const expiry = readDateTime(element?.attr('expiry'));
  if (token === '' || token.length > MAX_TOKEN || expiry === undefined) return undefined;
  return { token, mechanism, expiry, count: 0, isRevoked: false };
}

/** The stored tokens, one per account. */
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

/** Parses what `Tokens.set` wrote. Anything else counts as no token, so the next login uses the password. */
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
