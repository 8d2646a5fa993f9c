/**
 * XEP-0202 Entity Time, 2.0 (Final). https://xmpp.org/extensions/xep-0202.html
 *
 * Queries an entity's clock and time zone, and answers with ours.
 *
 * Left out: our time zone, because it reveals our location (§5); UTC is sent instead.
 */
import type { Jid } from '../xmpp-core/jid/jid.js';
import { definePlugin, senders, type Plugin } from '../xmpp-core/plugin.js';
import { el, type Element } from '../xmpp-core/xml/element.js';
import { readDateTime } from './xep-0082-date-time.js';

/** The namespace of entity time. */
export const NS_TIME = 'urn:xmpp:time';

/** An entity's clock. */
export interface EntityTime {
  readonly utc: Date;
  /** The offset of its time zone from UTC in minutes, positive to the east. */
  readonly offsetMinutes: number;
}

const OFFSET = /^(?:Z|([+-])(\d{2}):(\d{2}))$/;

/** Reads an entity's time; `undefined` unless both parts are valid (§2). */
export function readEntityTime(time: Element): EntityTime | undefined {
  const utc = time.childText('utc')?.trim();
  const moment = utc?.endsWith('Z') === true ? readDateTime(utc) : undefined;
  const offset = OFFSET.exec(time.childText('tzo')?.trim() ?? '');
  if (moment === undefined || offset === null) return undefined;
  const [, sign, hours = '0', minutes = '0'] = offset;
  const ahead = Number(hours) * 60 + Number(minutes);
  return { utc: moment, offsetMinutes: sign === '-' && ahead !== 0 ? -ahead : ahead };
}

/** Writes an entity's time, in whole seconds. */
export function writeEntityTime({ utc, offsetMinutes }: EntityTime): Element {
  const [hours, minutes] = [Math.trunc(Math.abs(offsetMinutes) / 60), Math.abs(offsetMinutes) % 60];
  const digits = [hours, minutes].map((part) => String(part).padStart(2, '0')).join(':');
  return el(
    'time',
    NS_TIME,
    {},
    el('tzo', NS_TIME, {}, offsetMinutes === 0 ? 'Z' : `${offsetMinutes < 0 ? '-' : '+'}${digits}`),
    el('utc', NS_TIME, {}, utc.toISOString().replace(/\.\d+Z$/, 'Z')),
  );
}

/** The handle of the plugin. */
export interface EntityTimes {
  /** Queries an entity's clock; `undefined` if the answer is invalid. @throws StanzaError, TimeoutError */
  of(entity: Jid | string): Promise<EntityTime | undefined>;
}

/** Entity time: `client.get(entityTime).of(jid)` queries a clock. */
export const entityTime: Plugin<EntityTimes> = definePlugin({
  name: 'entity-time',
  xep: 202,
  features: [NS_TIME],
  setup(context): EntityTimes {
    context.onIq({ type: 'get', ns: NS_TIME, name: 'time' }, senders.anyone, () =>
      writeEntityTime({ utc: new Date(), offsetMinutes: 0 }),
    );
    return {
      async of(entity) {
        const time = await context.iq({ to: entity, type: 'get', payload: el('time', NS_TIME) });
        return time?.is('time', NS_TIME) === true ? readEntityTime(time) : undefined;
      },
    };
  },
});
