/**
 * XEP-0092 Software Version, 1.1 (Stable). https://xmpp.org/extensions/xep-0092.html
 *
 * Asks which software an entity runs, and tells ours once the application has said what to tell; the operating system only if it says
 * that too (§5).
 */
import type { Disposer } from '../xmpp-core/events.js';
import { StanzaError } from '../xmpp-core/errors.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, from, type Plugin } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { serviceDiscovery } from './xep-0030-service-discovery.js';

export const NS_VERSION = 'jabber:iq:version';

export interface SoftwareVersion {
  readonly name: string;
  readonly version: string;
  readonly os?: string;
}

/** Reads it; `undefined` without a name or a version, which there have to be (§2). */
export function readSoftwareVersion(query: Element): SoftwareVersion | undefined {
  const name = query.childText('name');
  const version = query.childText('version');
  const os = query.childText('os');
  if (name === undefined || version === undefined) return undefined;
  return os === undefined ? { name, version } : { name, version, os };
}

export function writeSoftwareVersion({ name, version, os }: SoftwareVersion): Element {
  return el(
    'query',
    NS_VERSION,
    {},
    el('name', NS_VERSION, {}, name),
    el('version', NS_VERSION, {}, version),
    os === undefined ? undefined : el('os', NS_VERSION, {}, os),
  );
}

export interface SoftwareVersions {
  /** Tells everybody who asks; until it is called, and after `undefined`, nobody is told anything. */
  tell(ours: SoftwareVersion | undefined): void;
  /** What an entity runs; `undefined` when its answer does not say. @throws StanzaError, TimeoutError */
  of(entity: Jid | string): Promise<SoftwareVersion | undefined>;
}

export const softwareVersion: Plugin<SoftwareVersions> = definePlugin({
  name: 'software-version',
  xep: 92,
  requires: [serviceDiscovery],
  setup(context): SoftwareVersions {
    const disco = context.get(serviceDiscovery);
    let told: SoftwareVersion | undefined;
    let withdraw: Disposer | undefined;
    context.onIq({ type: 'get', ns: NS_VERSION, name: 'query' }, from.anyone, () => {
      if (told === undefined) throw StanzaError.of('service-unavailable');
      return writeSoftwareVersion(told);
    });
    return {
      tell(ours) {
        told = ours;
        withdraw?.();
        withdraw = ours === undefined ? undefined : disco.announce(NS_VERSION);
      },
      async of(entity) {
        const query = await context.iq({ to: entity, type: 'get', payload: el('query', NS_VERSION) });
        return query?.is('query', NS_VERSION) === true ? readSoftwareVersion(query) : undefined;
      },
    };
  },
});
