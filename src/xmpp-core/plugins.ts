/** The plugins of one client: each is set up once, and what it registers holds until the client stops. */
import { XmppError } from './errors.js';
import { Events, type Disposer } from './events.js';
import type { Jid } from './jid/jid.js';
import type { Plugin, PluginContext } from './plugin.js';
import type { Router } from './router.js';
import type { SessionKeeper } from './session.js';
import type { StreamFeature } from './stream/stream-feature.js';
import type { Element } from './xml/element.js';

/** What of a plugin's context is the client itself. */
export type PluginHost = Pick<
  PluginContext,
  'account' | 'storage' | 'jid' | 'streamFeatures' | 'silentMs' | 'presenceChanged' | 'send' | 'http' | 'connectionLost'
>;

/** What plugins are told of the session. */
interface Lifecycle {
  bound: undefined;
  online: { readonly resumed: boolean };
  offline: undefined;
}

export class Plugins {
  readonly lifecycle: Events<Lifecycle>;
  readonly #host: PluginHost;
  readonly #router: Router;
  readonly #onFault: (error: unknown, where: string) => void;
  readonly #handles = new Map<string, unknown>();
  readonly #announced: string[] = [];
  readonly #disposers: Disposer[] = [];
  #transforms: readonly ((stanza: Element) => Element)[] = [];
  #streamFeatures: readonly StreamFeature[] = [];
  #keeper: SessionKeeper | undefined;

  constructor(host: PluginHost, router: Router, onFault: (error: unknown, where: string) => void) {
    this.#host = host;
    this.#router = router;
    this.#onFault = onFault;
    this.lifecycle = new Events(onFault);
  }

  /** What plugins added to the negotiation of a stream. */
  get streamFeatures(): readonly StreamFeature[] {
    return this.#streamFeatures;
  }

  /** Who keeps the sessions of this client, if anybody does. */
  get keeper(): SessionKeeper | undefined {
    return this.#keeper;
  }

  /** Sets a plugin up, after those that it requires; one that is there already stays as it is. */
  install(plugin: Plugin<unknown>): void {
    if (this.#handles.has(plugin.name)) return;
    for (const required of plugin.requires ?? []) this.install(required);
    this.#announced.push(...(plugin.features ?? []));
    this.#handles.set(plugin.name, plugin.setup(this.#context()));
  }

  /** The handle of a plugin. @throws XmppError when it is not there */
  get<Handle>(plugin: Plugin<Handle>): Handle {
    if (!this.#handles.has(plugin.name)) throw new XmppError(`this client has no plugin '${plugin.name}'`);
    // The handle under a plugin's name is what its own `setup` returned.
    return this.#handles.get(plugin.name) as Handle;
  }

  /** A stanza as it is to be sent, after all that plugins do to it. */
  transformed(stanza: Element): Element {
    let result = stanza;
    for (const transform of this.#transforms) result = transform(result);
    return result;
  }

  /** Undoes all that was registered, the last first. */
  dispose(): void {
    for (const dispose of this.#disposers.splice(0).toReversed()) dispose();
  }

  #context(): PluginContext {
    const host = this.#host;
    const router = this.#router;
    const registered = (dispose: Disposer): Disposer => {
      this.#disposers.push(dispose);
      return dispose;
    };
    return {
      get account(): Jid {
        return host.account;
      },
      storage: host.storage,
      features: this.#announced,
      jid: () => host.jid(),
      streamFeatures: () => host.streamFeatures(),
      silentMs: () => host.silentMs(),
      onMessage: (...registration) => registered(router.onMessage(...registration)),
      onUndelivered: (...registration) => registered(router.onUndelivered(...registration)),
      onPresence: (...registration) => registered(router.onPresence(...registration)),
      onIq: (...registration) => registered(router.onIq(...registration)),
      onNonza: (...registration) => registered(router.onNonza(...registration)),
      onBound: (handler) => registered(this.lifecycle.on('bound', handler)),
      onOnline: (handler) => registered(this.lifecycle.on('online', handler)),
      onOffline: (handler) => registered(this.lifecycle.on('offline', handler)),
      outgoing: (transform) => {
        this.#transforms = [...this.#transforms, transform];
        return registered(() => {
          this.#transforms = this.#transforms.filter((one) => one !== transform);
        });
      },
      streamFeature: (feature) => {
        this.#streamFeatures = [...this.#streamFeatures, feature];
        return registered(() => {
          this.#streamFeatures = this.#streamFeatures.filter((one) => one !== feature);
        });
      },
      keepSession: (keeper) => {
        if (this.#keeper !== undefined)
          throw new XmppError('another plugin already manages the sessions of this client');
        this.#keeper = keeper;
        return registered(() => {
          if (this.#keeper === keeper) this.#keeper = undefined;
        });
      },
      presenceChanged: () => host.presenceChanged(),
      send: (stanza) => host.send(stanza),
      iq: (request) => router.iq(request),
      http: (request) => host.http(request),
      probe: () => this.#keeper?.probe() ?? false,
      connectionLost: (reason) => host.connectionLost(reason),
      events: () => new Events(this.#onFault),
      get: (required) => this.get(required),
    };
  }
}
