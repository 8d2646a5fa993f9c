/** The plugins of one client: each is set up once, and its registrations last until the client stops. */
import { inBackground } from './background.js';
import { OfflineError, XmppError } from './errors.js';
import { Events, type Disposer } from './events.js';
import type { Jid } from './jid/jid.js';
import type { Plugin, PluginContext } from './plugin.js';
import type { Router } from './router.js';
import type { SessionKeeper } from './session.js';
import type { StreamFeature } from './stream/stream-feature.js';
import type { Element } from './xml/element.js';

/** The part of a plugin's context that the client implements. */
export type PluginHost = Pick<
  PluginContext,
  'account' | 'storage' | 'jid' | 'streamFeatures' | 'silentMs' | 'presenceChanged' | 'send' | 'http' | 'connectionLost'
>;

/** The session events for plugins. */
interface Lifecycle {
  bound: undefined;
  online: { readonly resumed: boolean };
  offline: undefined;
}

/** Sets plugins up, and holds what they registered. */
export class Plugins {
  readonly lifecycle: Events<Lifecycle>;
  readonly #host: PluginHost;
  readonly #router: Router;
  readonly #report: (error: unknown, where: string) => void;
  readonly #handles = new Map<string, unknown>();
  readonly #announced: string[] = [];
  readonly #disposers = new Set<Disposer>();
  #isDisposed = false;
  #transforms: readonly ((stanza: Element) => Element)[] = [];
  #streamFeatures: readonly StreamFeature[] = [];
  #keeper: SessionKeeper | undefined;

  /** @param report called with failures that no caller awaits, and where they happened; it never throws */
  constructor(host: PluginHost, router: Router, report: (error: unknown, where: string) => void) {
    this.#host = host;
    this.#router = router;
    this.#report = report;
    this.lifecycle = new Events(report);
  }

  /** The stream features that plugins registered. */
  get streamFeatures(): readonly StreamFeature[] {
    return this.#streamFeatures;
  }

  /** The keeper of this client's sessions, if any. */
  get keeper(): SessionKeeper | undefined {
    return this.#keeper;
  }

  /** Sets a plugin up, after those that it requires; does nothing if it is installed. */
  install(plugin: Plugin<unknown>): void {
    if (this.#handles.has(plugin.name)) return;
    for (const required of plugin.requires ?? []) this.install(required);
    this.#announced.push(...(plugin.features ?? []));
    this.#handles.set(plugin.name, plugin.setup(this.#context(plugin.name)));
  }

  /** The handle of a plugin. @throws XmppError when it is not there */
  get<Handle>(plugin: Plugin<Handle>): Handle {
    if (!this.#handles.has(plugin.name)) throw new XmppError(`this client has no plugin '${plugin.name}'`);
    // The handle under a plugin's name is what its own `setup` returned.
    return this.#handles.get(plugin.name) as Handle;
  }

  /** Applies the `outgoing` transforms of all plugins to a stanza. */
  transformed(stanza: Element): Element {
    let result = stanza;
    for (const transform of this.#transforms) result = transform(result);
    return result;
  }

  /** Undoes all registrations, the last first; later registrations are undone at once. */
  dispose(): void {
    this.#isDisposed = true;
    for (const dispose of [...this.#disposers].toReversed()) dispose();
  }

  #context(name: string): PluginContext {
    const host = this.#host;
    const router = this.#router;
    const registered = (undo: Disposer): Disposer => {
      const dispose = (): void => {
        this.#disposers.delete(dispose);
        undo();
      };
      this.#disposers.add(dispose);
      if (this.#isDisposed) dispose();
      return dispose;
    };
    const background: PluginContext['background'] = (work, onFailure) => {
      const handled = async (): Promise<void> => {
        try {
          await work();
        } catch (error) {
          if (onFailure === undefined || error instanceof OfflineError) throw error;
          onFailure(error);
        }
      };
      inBackground(handled, (error) => this.#report(error, name));
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
      background,
      after: (ms, work) => {
        const timer = setTimeout(() => {
          dispose();
          background(work);
        }, ms);
        const dispose = registered(() => clearTimeout(timer));
        return dispose;
      },
      presenceChanged: () => host.presenceChanged(),
      send: (stanza) => host.send(stanza),
      iq: (request) => router.iq(request),
      http: (request) => host.http(request),
      probe: () => this.#keeper?.probe() ?? false,
      connectionLost: (reason) => host.connectionLost(reason),
      events: () => new Events(this.#report),
      get: (required) => this.get(required),
    };
  }
}
