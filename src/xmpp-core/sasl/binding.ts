/**
 * XEP-0440 SASL Channel-Binding Type Capability, 1.0.0 (Stable). https://xmpp.org/extensions/xep-0440.html
 *
 * Decides whether and to what a SCRAM exchange is bound (RFC 5802 §6, with the rules of XEP-0440 §3 and XEP-0474 §7).
 */
import { SaslError } from '../errors.js';
import type { ChannelBinding, SaslContext } from './mechanism.js';
import { SCRAM_HASHES, scramName } from './scram-keys.js';

/** `preferred`: bind if both sides can. `required`: do not log in without a binding. `off`: never bind, and signal that to the server. */
export type ChannelBindingPolicy = 'preferred' | 'required' | 'off';

/** How one exchange treats channel binding. */
export interface BindingPlan {
  /** Whether a -PLUS mechanism is used. */
  readonly plus: boolean;
  /** The beginning of our first message: `p=tls-exporter,,`, `y,,` (we could bind, the server offers no binding), or `n,,`. */
  readonly gs2Header: string;
  /** The channel-binding data; empty without a binding. */
  readonly data: Uint8Array;
  /** Whether the server must prove by XEP-0474 that nobody changed its list of types. */
  readonly needsDowngradeHash: boolean;
}

const NO_DATA = new Uint8Array(0);

/**
 * Plans the binding of an exchange with one of the offered SCRAM mechanisms.
 * @throws SaslError when the policy requires a binding that is not available, or when the server's offer contradicts itself
 */
export function planBinding(context: SaslContext, policy: ChannelBindingPolicy): BindingPlan {
  const { offered, serverBindingTypes: listed } = context;
  const ours = policy === 'off' ? [] : context.channelBindings;
  const plusOffered = offered.some((name) => /^SCRAM-.+-PLUS$/.test(name));
  if (ours.length > 0 && !plusOffered && listed !== undefined && listed.length > 0) {
    throw new SaslError(
      'channel-binding',
      'the server lists channel bindings but no mechanism that uses them (XEP-0440 §3): someone may have removed the ' +
        'mechanisms. If the server is configured like that, turn channel binding off for this account',
    );
  }
  const binding = strongest(ours, listed);
  if (binding !== undefined && SCRAM_HASHES.some((hash) => offered.includes(scramName(hash, true)))) {
    return { plus: true, gs2Header: `p=${binding.type},,`, data: binding.data, needsDowngradeHash: false };
  }
  if (policy === 'required') {
    throw new SaslError(
      'channel-binding',
      `this account requires channel binding, and ${reasonAgainst(ours, plusOffered, listed)}`,
    );
  }
  return {
    plus: false,
    gs2Header: ours.length > 0 && !plusOffered ? 'y,,' : 'n,,',
    data: NO_DATA,
    needsDowngradeHash: mayBeTruncated(ours, plusOffered, listed),
  };
}

/**
 * The strongest binding that both sides support: tls-exporter is unique to a connection, tls-server-end-point only to a certificate.
 * A server that offers -PLUS without a list predates XEP-0440 and means tls-unique, the default of RFC 5802 §6.1, which we do not
 * support.
 */
function strongest(ours: readonly ChannelBinding[], listed: readonly string[] | undefined): ChannelBinding | undefined {
  const shared = ours.filter(({ type }) => listed?.includes(type));
  return shared.find(({ type }) => type === 'tls-exporter') ?? shared[0];
}

/**
 * Every server with a list must include tls-server-end-point (XEP-0440 §3, rules 1 and 6). If the list lacks it and everything we
 * support, an attacker may have truncated it; XEP-0474 §7 lets us continue if the server's hash confirms the list.
 */
function mayBeTruncated(
  ours: readonly ChannelBinding[],
  plusOffered: boolean,
  listed: readonly string[] | undefined,
): boolean {
  return ours.length > 0 && plusOffered && listed !== undefined && !listed.includes('tls-server-end-point');
}

function reasonAgainst(
  ours: readonly ChannelBinding[],
  plusOffered: boolean,
  listed: readonly string[] | undefined,
): string {
  if (ours.length === 0) return 'this connection has no data to bind to';
  if (!plusOffered) return 'the server offers no -PLUS mechanism';
  if (listed === undefined) return 'the server does not list the types it supports (XEP-0440)';
  return `none of our -PLUS mechanisms works with ${ours.map(({ type }) => type).join(' or ')} here`;
}
