/**
 * XEP-0441 Message Archive Management Preferences, 0.2.0 (Experimental). https://xmpp.org/extensions/xep-0441.html
 *
 * Which messages the account's server archives. Not every server lets users choose.
 *
 * Left out: the ad-hoc command for advanced preferences (§2.2); XEP-0050 runs it like any other.
 */
import { StanzaError } from '../xmpp-core/errors.js';
import { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { NS_MAM } from './xep-0313-message-archive/codecs.js';

/** Archive all messages, none, or those of contacts in the roster (§2.1.1). */
export type ArchiveDefault = 'always' | 'never' | 'roster';

/** The archiving preferences of the account. */
export interface ArchivePreferences {
  /** For JIDs that are in neither list. */
  readonly default: ArchiveDefault;
  /** Bare JIDs match every resource (§2.3.1). */
  readonly always: readonly Jid[];
  readonly never: readonly Jid[];
}

/** Reads the preferences; `undefined` if the default is invalid. Invalid JIDs are left out. */
export function readArchivePreferences(prefs: Element): ArchivePreferences | undefined {
  const byDefault = prefs.attr('default');
  if (!prefs.is('prefs', NS_MAM) || !isDefault(byDefault)) return undefined;
  return { default: byDefault, always: readJids(prefs.child('always')), never: readJids(prefs.child('never')) };
}

/** Writes the preferences. */
export function writeArchivePreferences({ default: byDefault, always, never }: ArchivePreferences): Element {
  const list = (name: string, jids: readonly Jid[]): Element =>
    el(name, NS_MAM, {}, ...jids.map((jid) => el('jid', NS_MAM, {}, jid.toString())));
  return el('prefs', NS_MAM, { default: byDefault }, list('always', always), list('never', never));
}

function readJids(list: Element | undefined): Jid[] {
  return (list?.children('jid') ?? []).flatMap(({ text }) => Jid.fromWire(text.trim()) ?? []);
}

function isDefault(value: string | undefined): value is ArchiveDefault {
  return value === 'always' || value === 'never' || value === 'roster';
}

/** The archiving preferences: `client.get(archivePreferences)` reads and changes them. */
export const archivePreferences = definePlugin({
  name: 'archive-preferences',
  xep: 441,
  setup(context) {
    async function ask(type: 'get' | 'set', payload: Element, signal?: AbortSignal): Promise<ArchivePreferences> {
      const result = await context.iq({ type, payload, ...(signal === undefined ? {} : { signal }) });
      const preferences = result === undefined ? undefined : readArchivePreferences(result);
      if (preferences === undefined) throw StanzaError.of('undefined-condition', 'the server sent no preferences');
      return preferences;
    }

    return {
      /**
       * Reads the preferences.
       * @throws StanzaError (`feature-not-implemented` if users cannot choose), and what else `PluginContext.iq` throws
       */
      get: (signal?: AbortSignal): Promise<ArchivePreferences> => ask('get', el('prefs', NS_MAM), signal),
      /** Changes the preferences. @returns what the server set (§2.1) @throws StanzaError, and what else `PluginContext.iq` throws */
      set: (preferences: ArchivePreferences, signal?: AbortSignal): Promise<ArchivePreferences> =>
        ask('set', writeArchivePreferences(preferences), signal),
    };
  },
});
