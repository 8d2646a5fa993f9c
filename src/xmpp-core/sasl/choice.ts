/** Chooses the mechanism: the strongest that both sides support, and nothing weaker after it has failed. */
import { SaslError } from '../errors.js';
import { encodeBase64 } from './base64.js';
import { planBinding, type ChannelBindingPolicy } from './binding.js';
import type { Mechanism, Pin, SaslContext } from './mechanism.js';
import { Scram } from './scram.js';
import { SCRAM_HASHES, scramName } from './scram-keys.js';
import { anonymous, external, plain } from './single-message.js';

/** What the account allows. */
export interface SaslPolicy {
  /** The `pin` of the mechanism of an earlier login. `never-plain` forbids PLAIN. */
  readonly pinned?: Pin | undefined;
  /** A mechanism that is used only on request, and then exclusively. */
  readonly only?: 'EXTERNAL' | 'ANONYMOUS' | undefined;
  /** Default: `preferred`. */
  readonly channelBinding?: ChannelBindingPolicy | undefined;
}

/** RFC 5802 §5.1 leaves the length open; nobody can guess 24 bytes, and their base64 has no padding. */
const NONCE_BYTES = 24;

/**
 * Chooses the mechanism for one attempt: SCRAM bound to the TLS connection, SCRAM, then PLAIN inside TLS; with SHA-512
 * before SHA-256 before SHA-1.
 * @throws SaslError `no-mechanism`, with what the server offers and what we could have used
 */
export function chooseMechanism(context: SaslContext, policy: SaslPolicy = {}): Mechanism {
  const mechanism =
    policy.only === undefined
      ? (chooseScram(context, policy) ?? choosePlain(context, policy))
      : chooseOnly(context, policy.only);
  if (mechanism !== undefined) return mechanism;
  throw new SaslError(
    'no-mechanism',
    `the server offers ${listOffered(context)}; we could use ${listUsable(context, policy)}`,
  );
}

function chooseOnly({ offered }: SaslContext, only: 'EXTERNAL' | 'ANONYMOUS'): Mechanism | undefined {
  if (!offered.includes(only)) return undefined;
  return only === 'EXTERNAL' ? external() : anonymous();
}

/** A weaker hash with a binding is preferred to a stronger one without: a man in the middle cannot forge the binding. */
function chooseScram(context: SaslContext, policy: SaslPolicy): Mechanism | undefined {
  const { credentials, offered } = context;
  const known = SCRAM_HASHES.some(
    (hash) => offered.includes(scramName(hash, false)) || offered.includes(scramName(hash, true)),
  );
  if (credentials === undefined || !known) return undefined;
  const binding = planBinding(context, policy.channelBinding ?? 'preferred');
  const hash = SCRAM_HASHES.find((hash) => offered.includes(scramName(hash, binding.plus)));
  if (hash === undefined) return undefined;
  return new Scram(hash, binding, credentials, encodeBase64(context.randomBytes(NONCE_BYTES)), context);
}

function choosePlain(context: SaslContext, policy: SaslPolicy): Mechanism | undefined {
  const { credentials, offered } = context;
  if (credentials === undefined || !offered.includes('PLAIN') || objectionToPlain(context, policy) !== undefined)
    return undefined;
  return plain(credentials);
}

function objectionToPlain(context: SaslContext, policy: SaslPolicy): string | undefined {
  if (!context.secure) return 'the connection has no TLS';
  if (policy.pinned === 'never-plain') return 'this account has used a stronger mechanism before';
  if (policy.channelBinding === 'required') return 'it has no channel binding';
  return undefined;
}

/** The server's list ends up in a log, so only valid mechanism names (RFC 4422 §3.1) are kept, and at most 20. */
function listOffered({ offered }: SaslContext): string {
  const names = offered.filter((name) => /^[A-Z0-9_-]{1,32}$/.test(name)).slice(0, 20);
  return names.length === 0 ? 'no mechanism' : names.join(', ');
}

function listUsable(context: SaslContext, policy: SaslPolicy): string {
  if (policy.only !== undefined) return `only ${policy.only}, as configured`;
  if (context.credentials === undefined) return 'none without a password';
  const scram = SCRAM_HASHES.map((hash) => scramName(hash, false)).join(', ');
  const objection = objectionToPlain(context, policy);
  return objection === undefined ? `${scram}, PLAIN` : `${scram}; not PLAIN, because ${objection}`;
}
