/** What the application of a scenario does with one extension: what it can ask for, and what it tells. */
import type { AnyMessage } from '../../../src/xeps/message-identity.js';
import type { DataForm } from '../../../src/xeps/xep-0004-data-forms.js';
import type { Client } from '../../../src/xmpp-core/client.js';
import type { Plugin } from '../../../src/xmpp-core/plugin.js';
import type { Message } from '../../../src/xmpp-core/stanza/stanzas.js';
import type { Element } from '../../../src/xmpp-core/xml/element.js';
import type { Asked } from './asked.js';

export type Fields = Readonly<Record<string, string | number | undefined>>;

/** An application with its client. */
export interface Application {
  readonly client: Client;
  /** Tells an event. */
  readonly tell: (verb: string, fields?: Fields) => void;
  /** Tells a message: what is known of each, and what the extensions that are switched on read in it. */
  readonly tellMessage: (said: AnyMessage, more?: Fields) => void;
  /** The same fields, for a message that is part of something else. */
  readonly messageFields: (said: AnyMessage) => Fields;
  /** A message that came earlier, if one had that id. */
  readonly heard: (id: string) => AnyMessage | undefined;
  /** A message that was sent, if one was with that id. */
  readonly sent: (id: string) => Element | undefined;
  /** A message to be sent, with what the extensions that are switched on make of the fields of an action. */
  readonly compose: (message: Element, asked: Asked) => Element;
}

/**
 * Does what is asked for. What comes at once tells nothing, unless it throws; a promise is told as `done of VERB` with its fields, or as
 * `error of VERB`; `item` tells one of several things that it found.
 */
export type Action = (asked: Asked, item: (fields: Fields) => void) => void | Promise<Fields | void>;

export type Actions = Readonly<Record<string, Action>>;

/** What a scenario can switch on, by the number of its XEP or the name of its plugin. */
export interface Extension {
  readonly plugins?: readonly Plugin<unknown>[];
  /** Listens to what there is to tell of, and gives what can be asked for. Called once for each client. */
  readonly attach?: (application: Application) => Actions | void;
  /** What a message says by this extension; `said` is what the room makes of it, for one that came through a room. */
  readonly read?: (message: Message, application: Application, said: AnyMessage) => Fields;
  /** Puts into a message that is sent what the fields of its action ask for. */
  readonly compose?: (message: Element, asked: Asked, client: Client) => Element;
}

/** By what it is called in the header `Client`. */
export type Extensions = Readonly<Record<string, Extension>>;

export function yes(flag: boolean | undefined): 'yes' | undefined {
  return flag === true ? 'yes' : undefined;
}

/** Several values in one field. */
export function list(values: Iterable<unknown>): string | undefined {
  const texts = [...values].map(String);
  return texts.length === 0 ? undefined : texts.join(', ');
}

/** A time as it stands in a field: in UTC, with milliseconds only where there are some. */
export function time(date: Date | undefined): string | undefined {
  return date?.toISOString().replace('.000Z', 'Z');
}

/** A form as one item for each of its fields that has a name and a value; what kind of form it is, is no field. */
export function formItems(form: DataForm | undefined): readonly Fields[] {
  return (form?.fields ?? []).flatMap(({ name, values }) =>
    name === undefined || name === 'FORM_TYPE' || values.length === 0
      ? []
      : [{ field: name, value: values.join(', ') }],
  );
}
