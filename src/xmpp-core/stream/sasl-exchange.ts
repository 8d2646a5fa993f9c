/** One SASL exchange (RFC 4422 §3), from the mechanism's first message to the server's decision, in any profile. */
import { NegotiationError, SaslError } from '../errors.js';
import type { Jid } from '../jid/jid.js';
import { decodeBase64, encodeBase64 } from '../sasl/base64.js';
import type { Mechanism } from '../sasl/mechanism.js';
import { NS_SASL } from '../stanza/namespaces.js';
import { el, type Element } from '../xml/element.js';
import type { XmlStream } from './xml-stream.js';

/** How a profile wraps the bytes: RFC 6120 §6 and XEP-0388 differ in little more than their first and last element. */
export interface SaslProfile {
  /** The namespace of `<challenge/>`, `<response/>`, `<success/>` and `<failure/>`. */
  readonly ns: string;
  /** The element that starts the exchange. */
  begin(mechanism: string, initial: Uint8Array): Element;
  /** The base64 in the `<success/>`; `undefined` if there is none. */
  additionalData(success: Element): string | undefined;
  /** Interprets a response that ends the exchange in a way that only this profile has. */
  otherEnd?(answer: Element): { readonly additionalData: string | undefined; readonly error: SaslError } | undefined;
}

/** The stream and account of an exchange. */
export interface ExchangePlace {
  readonly stream: XmlStream;
  readonly account: Jid;
  readonly signal: AbortSignal;
}

/** The server's decision: its `<success/>`, or why it rejects the login. */
export type Outcome = { readonly success: Element } | { readonly refusal: SaslError };

/**
 * Carries a mechanism's messages to the server and back.
 * @returns success only if the mechanism accepts it, which for SCRAM means that the server has proved itself
 * @throws SaslError, NegotiationError when the server violates the rules of the mechanism or the profile
 */
export async function exchange(mechanism: Mechanism, profile: SaslProfile, place: ExchangePlace): Promise<Outcome> {
  const { stream, account, signal } = place;
  const { ns } = profile;
  stream.send(profile.begin(mechanism.name, await mechanism.initial()));
  for (;;) {
    const answer = await stream.receive(signal);
    if (answer.is('success', ns)) {
      mechanism.success(decode(profile.additionalData(answer)));
      return { success: answer };
    }
    if (answer.is('failure', ns)) return { refusal: readFailure(answer, account, stream.peer) };
    if (!answer.is('challenge', ns)) throw unexpected(answer, mechanism, profile, stream.peer);
    const response = await mechanism.challenge(decode(answer.text) ?? new Uint8Array());
    stream.send(el('response', ns, {}, encodeBase64(response)));
  }
}

function unexpected(answer: Element, mechanism: Mechanism, profile: SaslProfile, peer: string): NegotiationError {
  const end = profile.otherEnd?.(answer);
  if (end === undefined) return new NegotiationError(`${peer} sent <${answer.name}/> during authentication`);
  // The server's demand is reported to people only once the server has proved itself.
  mechanism.success(decode(end.additionalData));
  return end.error;
}

/** Decodes base64; `=` stands for empty data (RFC 6120 §6.4.2). */
function decode(base64: string | undefined): Uint8Array | undefined {
  const text = base64?.trim();
  if (text === undefined) return undefined;
  const data = text === '=' ? new Uint8Array() : decodeBase64(text);
  if (data === undefined) throw new SaslError('incorrect-encoding', 'the server sent data that is not base64');
  return data;
}

const REMEDIES: ReadonlyMap<string, string> = new Map([
  ['not-authorized', 'the password is wrong, or there is no such account'],
  ['account-disabled', 'the account is disabled; ask the operator of the server'],
  ['credentials-expired', 'the password has expired; set a new one'],
  ['temporary-auth-failure', 'the server cannot check passwords at the moment'],
]);

/** Reads a `<failure/>` (RFC 6120 §6.5, XEP-0388 §2.6.2), and adds what the user can do. */
function readFailure(failure: Element, account: Jid, peer: string): SaslError {
  const reasons = failure.children().filter(({ name }) => name !== 'text');
  // An application-specific reason may accompany the defined one, and some servers omit the namespace of the latter.
  const condition = (reasons.find(({ ns }) => ns === NS_SASL) ?? reasons[0])?.name ?? 'not-authorized';
  const remedy = REMEDIES.get(condition);
  const words = failure.childText('text')?.slice(0, 200);
  const text = [remedy, words === undefined ? undefined : `the server says: ${words}`].filter(
    (part) => part !== undefined,
  );
  return new SaslError(
    condition,
    `${peer} rejected the login of ${account.toString()}: ${text.join('; ') || condition}`,
  );
}
