/**
 * XEP-0092 Software Version, 1.1 (Stable). https://xmpp.org/extensions/xep-0092.html
 *
 * Queries the software of an entity, and answers with ours after the application has set it; with the operating system only if the
 * application sets that too (§5).
 */
import type { Disposer } from '../xmpp-core/events.js';
import { StanzaError } from '../xmpp-core/errors.js';
import type { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, senders, type Plugin } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { serviceDiscovery } from './xep-0030-service-discovery.js';

/** The namespace of software versions. */
export const NS_VERSION = 'jabber:iq:version';

/** The software of an entity. */
export interface SoftwareVersion {
  readonly name: string;
  readonly version: string;
  readonly os?: string;
}

/** Reads a software version; `undefined` without a name or a version, which are required (§2). */
export function readSoftwareVersion(query: Element): SoftwareVersion | undefined {
  const name = query.childText('name');
  const version = query.childText('version');
  const os = query.childText('os');
  if (name === undefined || version === undefined) return undefined;
  return os === undefined ? { name, version } : { name, version, os };
}

/** Writes a software version. */
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

/** The handle of the plugin. */
export interface SoftwareVersions {
  /** Answers queries with this version; `undefined`, as at first, refuses them. */
  announce(ours: SoftwareVersion | undefined): void;
  /** Queries the software of an entity; `undefined` if the answer is invalid. @throws StanzaError, TimeoutError */
  of(entity: Jid | string): Promise<SoftwareVersion | undefined>;
}

/** Software versions: `client.get(softwareVersion)` announces ours and queries those of others. */
export const softwareVersion: Plugin<SoftwareVersions> = definePlugin({
  name: 'software-version',
  xep: 92,
  requires: [serviceDiscovery],
  setup(context): SoftwareVersions {
    const disco = context.get(serviceDiscovery);
    let announced: SoftwareVersion | undefined;
    let withdraw: Disposer | undefined;
    context.onIq({ type: 'get', ns: NS_VERSION, name: 'query' }, senders.anyone, () => {
      if (announced === undefined) throw StanzaError.of('service-unavailable');
      return writeSoftwareVersion(announced);
    });
    return {
      announce(ours) {
        announced = ours;
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
