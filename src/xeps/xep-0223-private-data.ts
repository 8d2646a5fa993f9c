/**
 * XEP-0223 Persistent Storage of Private Data via PubSub, 1.1.1 (Active). https://xmpp.org/extensions/xep-0223.html
 *
 * Data for our own clients only, in nodes of our account (XEP-0163). A node is made private before anything is stored in it, and its
 * configuration is verified, since a service may ignore options: data is stored privately or not at all.
 */
import { StanzaError, XmppError } from '../xmpp-core/errors.js';
import { definePlugin } from '../xmpp-core/plugin.js';
import type { Element } from '../xmpp-core/xml/element.js';
import { fieldBoolean, fieldValue, type DataForm } from './xep-0004-data-forms.js';
import type { NodeOptions, PubsubItem } from './xep-0060-pubsub/index.js';
import { personalEventing } from './xep-0163-personal-eventing.js';

/** The options of a private node (§3). */
const PRIVATE: NodeOptions = { 'pubsub#persist_items': true, 'pubsub#access_model': 'whitelist' };

/** What a list of items is, of which none may be lost. `items` are as many as are read at most. */
const MAX_ITEMS = 10_000;

/** Private data: `client.get(privateData)` stores and reads items. */
export const privateData = definePlugin({
  name: 'private-data',
  xep: 223,
  requires: [personalEventing],
  setup(context) {
    const pep = context.get(personalEventing);
    const { own } = pep;
    /** Nodes that were verified to be private in this session. */
    const verified = new Set<string>();
    context.onOffline(() => verified.clear());

    const configurationOf = async (node: string): Promise<DataForm | undefined> => {
      try {
        return await own.configuration(node);
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    };
    const create = async (node: string, options: NodeOptions): Promise<void> => {
      try {
        await own.create(node, options);
      } catch (error) {
        // Another client of ours created it first; its configuration is verified like any other.
        if (!(error instanceof StanzaError && error.condition === 'conflict')) throw error;
      }
    };
    /** @throws XmppError if the node is not private and cannot be made private */
    const makePrivate = async (node: string, options: NodeOptions): Promise<void> => {
      let form = await configurationOf(node);
      if (form === undefined) {
        await create(node, options);
        form = await own.configuration(node);
      }
      if (!isPrivate(form)) {
        await own.configure(node, options);
        form = await own.configuration(node);
      }
      if (!isPrivate(form))
        throw new XmppError(
          `the server would show ${node} to others (access model ${fieldValue(form, 'pubsub#access_model') ?? 'unknown'}), ` +
            'so nothing was stored',
        );
    };

    return {
      /**
       * Stores an item.
       * @param options of the node, in addition to those that make it private
       * @throws XmppError if the node cannot be made private; then nothing was stored. StanzaError, TimeoutError
       */
      async publish(node: string, payload: Element, id: string, options: NodeOptions = {}): Promise<void> {
        const all = { ...options, ...PRIVATE };
        // With options in the request, the server checks the node again when it publishes (XEP-0060 §7.1.5).
        const hasPublishOptions = await pep.supports('publish-options');
        if (!hasPublishOptions || !verified.has(node)) await makePrivate(node, all);
        verified.add(node);
        await own.publish(node, payload, hasPublishOptions ? { id, options: all } : { id });
      },
      /** Reads all items of a node; an empty list if there is no such node. @throws StanzaError, TimeoutError */
      async items(node: string): Promise<PubsubItem[]> {
        try {
          return await own.allItems(node, MAX_ITEMS);
        } catch (error) {
          if (isMissing(error)) return [];
          throw error;
        }
      },
      /** Deletes an item and notifies our other clients; does nothing if there is no such item. @throws StanzaError, TimeoutError */
      async retract(node: string, id: string): Promise<void> {
        try {
          await own.retract(node, [id]);
        } catch (error) {
          if (!isMissing(error)) throw error;
        }
      },
    };
  },
});

function isPrivate(form: DataForm): boolean {
  return (
    fieldValue(form, 'pubsub#access_model') === 'whitelist' && fieldBoolean(form, 'pubsub#persist_items') !== false
  );
}

function isMissing(error: unknown): boolean {
  return error instanceof StanzaError && error.condition === 'item-not-found';
}
