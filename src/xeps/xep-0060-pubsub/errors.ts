/** The errors of pubsub, which come in addition to the condition of the stanza error (XEP-0060 §12, and the schema of `pubsub#errors`). */
import { StanzaError } from '../../xmpp-core/errors.js';

/** The namespace of these errors. */
export const NS_PUBSUB_ERRORS = 'http://jabber.org/protocol/pubsub#errors';

const CONDITIONS = [
  'closed-node',
  'configuration-required',
  'invalid-jid',
  'invalid-options',
  'invalid-payload',
  'invalid-subid',
  'item-forbidden',
  'item-required',
  'jid-required',
  'max-items-exceeded',
  'max-nodes-exceeded',
  'node-full',
  'nodeid-required',
  'not-in-roster-group',
  'not-subscribed',
  'payload-required',
  'payload-too-big',
  'pending-subscription',
  'precondition-not-met',
  'presence-subscription-required',
  'subid-required',
  'too-many-subscriptions',
  'unsupported',
  'unsupported-access-model',
] as const;

/** A condition of `pubsub#errors`. */
export type PubsubCondition = (typeof CONDITIONS)[number];

/**
 * Reads why a request to a pubsub service failed; `undefined` if the error carries no condition of pubsub.
 * @returns the condition, and for `unsupported` the missing feature, without the prefix `…pubsub#`
 */
export function pubsubError(
  error: unknown,
): { readonly condition: PubsubCondition; readonly feature?: string } | undefined {
  if (!(error instanceof StanzaError)) return undefined;
  const { application } = error.details;
  if (application?.ns !== NS_PUBSUB_ERRORS) return undefined;
  const condition = CONDITIONS.find((one) => one === application.name);
  if (condition === undefined) return undefined;
  const feature = application.attr('feature');
  return feature === undefined ? { condition } : { condition, feature };
}
