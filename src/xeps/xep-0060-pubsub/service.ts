/** The requests of XEP-0060 to one service: a server's component, or an account (XEP-0163). */
import { XmppError } from '../../xmpp-core/errors.js';
import { Jid } from '../../xmpp-core/jid/jid.js';
import type { OutgoingIq, PluginContext } from '../../xmpp-core/plugin.js';
import { el, type Element } from '../../xmpp-core/xml/element.js';
import {
  answerForm,
  childForm,
  submitForm,
  writeDataForm,
  type DataForm,
  type FormValues,
} from '../xep-0004-data-forms.js';
import { readPage, writePageRequest, type Page, type PageRequest } from '../xep-0059-result-set-management.js';
import {
  NS_PUBSUB,
  NS_PUBSUB_OWNER,
  readPubsubAffiliation,
  readPubsubItem,
  readPubsubSubscription,
  type NodeOptions,
  type PubsubAffiliation,
  type PubsubItem,
  type PubsubSubscription,
  type SubscriptionState,
} from './codecs.js';
import { pubsubError } from './errors.js';

const NODE_CONFIGURATION = `${NS_PUBSUB}#node_config`;
const PUBLISH_OPTIONS = `${NS_PUBSUB}#publish-options`;
const SUBSCRIBE_OPTIONS = `${NS_PUBSUB}#subscribe_options`;

/** How long each request may take, and what ends it. */
export type PubsubRequestOptions = Pick<OutgoingIq, 'signal' | 'timeoutMs'>;

/** Which items are wanted: all, unless told. */
export interface ItemsWanted {
  readonly ids?: readonly string[];
  /** Only the newest so many (§6.5.7). */
  readonly newest?: number;
  /** A part of a long list (XEP-0059). */
  readonly page?: PageRequest;
  /** Where we have several subscriptions to the node. */
  readonly subid?: string;
}

export interface Publication {
  /** The service makes one up when it is left out; an item of that id is replaced. */
  readonly id?: string;
  /**
   * How the node has to be (§7.1.5). One that is not there yet is made so; one that is otherwise is configured and the item published
   * after that.
   */
  readonly options?: NodeOptions;
}

/** Which of several subscriptions is meant; that of our bare JID unless told. */
export interface SubscriptionChoice {
  readonly jid?: Jid;
  readonly subid?: string;
}

/** How many requests `everyItem` makes at most. */
const MAX_PAGES = 100;

/**
 * A pubsub service. Every method throws `StanzaError` (see `pubsubError` for what pubsub adds to it), `TimeoutError` or `XmppError`
 * when there is no session.
 */
export class PubsubService {
  readonly #context: PluginContext;
  readonly #jid: Jid | undefined;
  readonly #limits: PubsubRequestOptions;
  readonly #onSubscribed: (service: Jid) => void;

  /** @param jid our own account when it is `undefined` */
  constructor(
    context: PluginContext,
    jid: Jid | undefined,
    limits: PubsubRequestOptions,
    onSubscribed: (service: Jid) => void,
  ) {
    this.#context = context;
    this.#jid = jid;
    this.#limits = limits;
    this.#onSubscribed = onSubscribed;
  }

  get jid(): Jid {
    return this.#jid ?? this.#context.account;
  }

  /** Items of a node (§6.5), oldest first or as the service has them; `page` when it tells that there are more. */
  async items(
    node: string,
    { ids = [], newest, page, subid }: ItemsWanted = {},
  ): Promise<{ items: PubsubItem[]; page: Page | undefined }> {
    const wanted = ids.map((id) => el('item', NS_PUBSUB, { id }));
    const request = el('items', NS_PUBSUB, { node, max_items: newest, subid }, ...wanted);
    const result = await this.#get(request, page === undefined ? undefined : writePageRequest(page));
    return {
      items: result?.child('items')?.children('item').map(readPubsubItem) ?? [],
      page: readPage(result),
    };
  }

  /**
   * All items of a node, page by page where the service gives them so (§6.5.4).
   * @param most stops when it has so many
   */
  async everyItem(node: string, most: number): Promise<PubsubItem[]> {
    const found: PubsubItem[] = [];
    let after: string | undefined;
    for (let request = 0; request < MAX_PAGES && found.length < most; request++) {
      const { items, page } = await this.items(node, after === undefined ? {} : { page: { after } });
      found.push(...items);
      const isWhole = page?.last === undefined || page.count === undefined || found.length >= page.count;
      if (isWhole || items.length === 0 || page.last === after) break;
      after = page.last;
    }
    return found.slice(0, most);
  }

  /**
   * Publishes (§7.1). Without payload and id only the event is published.
   * @returns the id of the item, where it has one
   */
  async publish(
    node: string,
    payload: Element | undefined,
    publication: Publication = {},
  ): Promise<string | undefined> {
    const { id, options } = publication;
    const item = payload === undefined && id === undefined ? undefined : el('item', NS_PUBSUB, { id }, payload);
    const preconditions =
      options === undefined ? undefined : el('publish-options', NS_PUBSUB, {}, answerWith(PUBLISH_OPTIONS, options));
    const publish = async (): Promise<string | undefined> => {
      const result = await this.#set(el('publish', NS_PUBSUB, { node }, item), preconditions);
      return result?.child('publish')?.child('item')?.attr('id') ?? id;
    };
    try {
      return await publish();
    } catch (error) {
      if (options === undefined || pubsubError(error)?.condition !== 'precondition-not-met') throw error;
      await this.configure(node, options);
      return publish();
    }
  }

  /** Takes items back (§7.2). @param options.notify tells the subscribers, which is so unless told */
  async retract(node: string, ids: readonly string[], { notify = true }: { notify?: boolean } = {}): Promise<void> {
    for (const id of ids) {
      // One a request: §7.2.1 allows no more.
      await this.#set(el('retract', NS_PUBSUB, { node, notify: notify || undefined }, el('item', NS_PUBSUB, { id })));
    }
  }

  /** Makes a node (§8.1), which the service names when we do not. @returns its name */
  async create(node?: string, options?: NodeOptions): Promise<string> {
    const configure =
      options === undefined ? undefined : el('configure', NS_PUBSUB, {}, answerWith(NODE_CONFIGURATION, options));
    const result = await this.#set(el('create', NS_PUBSUB, { node }), configure);
    const created = result?.child('create')?.attr('node') ?? node;
    if (created === undefined) throw new XmppError(`${this.jid.toString()} created a node without naming it`);
    return created;
  }

  /** How a node is configured, as a form with all that can be (§8.2.1). */
  async configuration(node: string): Promise<DataForm> {
    const result = await this.#ownerGet(el('configure', NS_PUBSUB_OWNER, { node }));
    return this.#formOf(result?.child('configure'), `the configuration of ${node}`);
  }

  /** How a node would be if nothing were said (§8.3). */
  async defaultConfiguration(): Promise<DataForm> {
    const result = await this.#ownerGet(el('default', NS_PUBSUB_OWNER));
    return this.#formOf(result?.child('default'), 'the default configuration');
  }

  /** Changes what is given and leaves the rest as it is (§8.2.4). */
  async configure(node: string, options: NodeOptions): Promise<void> {
    const answer = answerForm(await this.configuration(node), options);
    await this.#ownerSet(el('configure', NS_PUBSUB_OWNER, { node }, writeDataForm(answer)));
  }

  /** Deletes a node with all that is in it (§8.4). @param options.redirect the `xmpp:` URI of its successor */
  async delete(node: string, { redirect }: { redirect?: string } = {}): Promise<void> {
    const successor = redirect === undefined ? undefined : el('redirect', NS_PUBSUB_OWNER, { uri: redirect });
    await this.#ownerSet(el('delete', NS_PUBSUB_OWNER, { node }, successor));
  }

  /** Deletes all items of a node (§8.5). */
  async purge(node: string): Promise<void> {
    await this.#ownerSet(el('purge', NS_PUBSUB_OWNER, { node }));
  }

  /**
   * Subscribes to a node (§6.1). The service's events are then heard by the pubsub plugin.
   * @returns the subscription, which may be `pending` until the owner agrees
   */
  async subscribe(
    node: string,
    { jid, options }: { jid?: Jid; options?: FormValues } = {},
  ): Promise<PubsubSubscription> {
    const who = (jid ?? this.#context.account).toString();
    const configuration =
      options === undefined ? undefined : el('options', NS_PUBSUB, {}, answerWith(SUBSCRIBE_OPTIONS, options));
    // An event can come on the heels of the answer, and even before it.
    this.#onSubscribed(this.jid);
    const result = await this.#set(el('subscribe', NS_PUBSUB, { node, jid: who }), configuration);
    const answer = result?.child('subscription');
    const subscription = answer === undefined ? undefined : readPubsubSubscription(answer);
    return subscription ?? { node, jid: jid ?? this.#context.account, state: 'subscribed' };
  }

  /** Ends a subscription (§6.2). */
  async unsubscribe(node: string, { jid, subid }: SubscriptionChoice = {}): Promise<void> {
    const who = (jid ?? this.#context.account).toString();
    await this.#set(el('unsubscribe', NS_PUBSUB, { node, jid: who, subid }));
  }

  /** Our subscriptions at this service, or to one of its nodes (§5.6). Events are then heard, as after `subscribe`. */
  async subscriptions(node?: string): Promise<PubsubSubscription[]> {
    const result = await this.#get(el('subscriptions', NS_PUBSUB, { node }));
    const list = result?.child('subscriptions');
    const found = readSubscriptions(list).map((one) => withNode(one, list?.attr('node')));
    if (found.some(({ state }) => state !== 'none')) this.#onSubscribed(this.jid);
    return found;
  }

  /** What we are at this service's nodes (§5.7), by their names. */
  async affiliations(node?: string): Promise<ReadonlyMap<string, PubsubAffiliation>> {
    const result = await this.#get(el('affiliations', NS_PUBSUB, { node }));
    const list = result?.child('affiliations')?.children('affiliation') ?? [];
    return new Map(list.map((one) => [one.attr('node') ?? node ?? '', readPubsubAffiliation(one)]));
  }

  /** Who is what at a node of ours (§8.9.1), by bare JID. */
  async affiliates(node: string): Promise<ReadonlyMap<string, PubsubAffiliation>> {
    const result = await this.#ownerGet(el('affiliations', NS_PUBSUB_OWNER, { node }));
    const list = result?.child('affiliations')?.children('affiliation') ?? [];
    return new Map(
      list.flatMap((one) => {
        const jid = Jid.tryParse(one.attr('jid'));
        return jid === undefined ? [] : [[jid.toString(), readPubsubAffiliation(one)] as const];
      }),
    );
  }

  /** Makes somebody something at a node of ours (§8.9.2); `none` takes it away. */
  async setAffiliate(node: string, jid: Jid | string, affiliation: PubsubAffiliation): Promise<void> {
    const change = el('affiliation', NS_PUBSUB_OWNER, { jid: Jid.from(jid).toString(), affiliation });
    await this.#ownerSet(el('affiliations', NS_PUBSUB_OWNER, { node }, change));
  }

  /** Who is subscribed to a node of ours (§8.8.1). */
  async subscribers(node: string): Promise<PubsubSubscription[]> {
    const result = await this.#ownerGet(el('subscriptions', NS_PUBSUB_OWNER, { node }));
    return readSubscriptions(result?.child('subscriptions')).map((one) => withNode(one, node));
  }

  /** Subscribes somebody to a node of ours, or ends their subscription with `none` (§8.8.2). */
  async setSubscriber(node: string, jid: Jid | string, subscription: SubscriptionState): Promise<void> {
    const change = el('subscription', NS_PUBSUB_OWNER, { jid: Jid.from(jid).toString(), subscription });
    await this.#ownerSet(el('subscriptions', NS_PUBSUB_OWNER, { node }, change));
  }

  #formOf(parent: Element | undefined, what: string): DataForm {
    const form = childForm(parent);
    if (form === undefined) throw new XmppError(`${this.jid.toString()} did not send ${what}`);
    return form;
  }

  #get(...payloads: readonly (Element | undefined)[]): Promise<Element | undefined> {
    return this.#ask('get', NS_PUBSUB, payloads);
  }

  #set(...payloads: readonly (Element | undefined)[]): Promise<Element | undefined> {
    return this.#ask('set', NS_PUBSUB, payloads);
  }

  #ownerGet(payload: Element): Promise<Element | undefined> {
    return this.#ask('get', NS_PUBSUB_OWNER, [payload]);
  }

  #ownerSet(payload: Element): Promise<Element | undefined> {
    return this.#ask('set', NS_PUBSUB_OWNER, [payload]);
  }

  /** @returns the `<pubsub/>` of the result, if it has one */
  async #ask(
    type: 'get' | 'set',
    ns: string,
    payloads: readonly (Element | undefined)[],
  ): Promise<Element | undefined> {
    // XEP-0163 §3.1: our own account is meant by no address.
    const to = this.#jid === undefined ? {} : { to: this.#jid };
    const result = await this.#context.iq({ ...to, ...this.#limits, type, payload: el('pubsub', ns, {}, ...payloads) });
    return result?.name === 'pubsub' && [NS_PUBSUB, ns].includes(result.ns) ? result : undefined;
  }
}

function answerWith(about: string, values: FormValues): Element {
  return writeDataForm(submitForm(about, values));
}

function readSubscriptions(list: Element | undefined): PubsubSubscription[] {
  return list?.children('subscription').flatMap((one) => readPubsubSubscription(one) ?? []) ?? [];
}

function withNode(subscription: PubsubSubscription, node: string | undefined): PubsubSubscription {
  return node === undefined || subscription.node !== undefined ? subscription : { ...subscription, node };
}
