/**
 * XEP-0004 Data Forms, 2.13.2 (Final). https://xmpp.org/extensions/xep-0004.html
 *
 * Forms with typed fields, submitted forms, and tables of results. Every payload that carries a form (disco, rooms, commands, pubsub,
 * registration, archives) reads and writes it with these codecs.
 */
import { el, type Element } from '../xmpp-core/xml/element.js';

/** The namespace of data forms. */
export const NS_DATA_FORMS = 'jabber:x:data';

/** §3.1: a form to fill in, a submitted form, a cancelled form, or data. */
export type FormKind = 'form' | 'submit' | 'cancel' | 'result';

/** The type of a field (§3.3). */
export type FieldType =
  | 'boolean'
  | 'fixed'
  | 'hidden'
  | 'jid-multi'
  | 'jid-single'
  | 'list-multi'
  | 'list-single'
  | 'text-multi'
  | 'text-private'
  | 'text-single';

/** An option of a list field (§3.2). */
export interface FormOption {
  readonly value: string;
  readonly label?: string;
}

/** A field of a form (§3.2). */
export interface FormField {
  /** Its `var`; a `fixed` field, which only shows text, may have none. */
  readonly name?: string;
  /** Absent in submitted forms, where the original form defines it. */
  readonly type?: FieldType;
  readonly label?: string;
  readonly description?: string;
  readonly required?: boolean;
  readonly values: readonly string[];
  /** The options of a list field. */
  readonly options?: readonly FormOption[];
  /** Children that other extensions add, such as media (XEP-0221) and validation (XEP-0122), unchanged. */
  readonly extensions?: readonly Element[];
}

/** A form, a submitted form, or a table of results. */
export interface DataForm {
  readonly type: FormKind;
  readonly title?: string;
  readonly instructions?: readonly string[];
  /** In the order in which to show them. */
  readonly fields: readonly FormField[];
  /** The columns of a table of results (§3.4). */
  readonly reported?: readonly FormField[];
  /** The rows of the table. */
  readonly items?: readonly (readonly FormField[])[];
}

const KINDS: ReadonlySet<string> = new Set<FormKind>(['form', 'submit', 'cancel', 'result']);
const FIELD_TYPES: ReadonlySet<string> = new Set<FieldType>([
  'boolean',
  'fixed',
  'hidden',
  'jid-multi',
  'jid-single',
  'list-multi',
  'list-single',
  'text-multi',
  'text-private',
  'text-single',
]);

/** Reads an `<x xmlns='jabber:x:data'/>`; `undefined` for any other element or an unknown type. */
export function readDataForm(x: Element): DataForm | undefined {
  const type = x.attr('type');
  if (!x.is('x', NS_DATA_FORMS) || !isKind(type)) return undefined;
  const title = x.childText('title');
  const instructions = x.children('instructions').map(({ text }) => text);
  const reported = x.child('reported');
  const items = x.children('item');
  return {
    type,
    ...(title === undefined ? {} : { title }),
    ...(instructions.length === 0 ? {} : { instructions }),
    fields: readFields(x),
    ...(reported === undefined ? {} : { reported: readFields(reported) }),
    ...(items.length === 0 ? {} : { items: items.map(readFields) }),
  };
}

/** Reads the form among the children of a payload that carries at most one. */
export function childForm(parent: Element | undefined): DataForm | undefined {
  const x = parent?.child('x', NS_DATA_FORMS);
  return x === undefined ? undefined : readDataForm(x);
}

/** Writes a form. */
export function writeDataForm({ type, title, instructions = [], fields, reported, items = [] }: DataForm): Element {
  return el(
    'x',
    NS_DATA_FORMS,
    { type },
    title === undefined ? undefined : el('title', NS_DATA_FORMS, {}, title),
    ...instructions.map((text) => el('instructions', NS_DATA_FORMS, {}, text)),
    ...fields.map(writeField),
    reported === undefined ? undefined : el('reported', NS_DATA_FORMS, {}, ...reported.map(writeField)),
    ...items.map((item) => el('item', NS_DATA_FORMS, {}, ...item.map(writeField))),
  );
}

/** The fields of a form, or of a row of its table. */
type Fields = DataForm | readonly FormField[] | undefined;

/** The field of that name, if there is one. */
export function fieldOf(form: Fields, name: string): FormField | undefined {
  const fields = form !== undefined && 'fields' in form ? form.fields : form;
  return fields?.find((field) => field.name === name);
}

/** The first value of a field, if it has one. */
export function fieldValue(form: Fields, name: string): string | undefined {
  return fieldOf(form, name)?.values[0];
}

/** All values of a field; an empty list if there is no such field. */
export function fieldValues(form: Fields, name: string): readonly string[] {
  return fieldOf(form, name)?.values ?? [];
}

/** The value of a boolean field (§3.3); `undefined` if it is absent or not a boolean. */
export function fieldBoolean(form: Fields, name: string): boolean | undefined {
  const value = fieldValue(form, name);
  if (value === '1' || value === 'true') return true;
  return value === '0' || value === 'false' ? false : undefined;
}

/** The `FORM_TYPE` of a form (XEP-0068). In a form to fill in or a result the field has to be hidden. */
export function formType(form: DataForm | undefined): string | undefined {
  const field = fieldOf(form, 'FORM_TYPE');
  return form?.type === 'submit' || field?.type === 'hidden' ? field?.values[0] : undefined;
}

/** Values by field name. The receiver leaves fields that are `undefined` unchanged (§3.5). */
export type FormValues = Readonly<Record<string, string | boolean | number | readonly string[] | undefined>>;

/** Builds a submitted form. @param about its `FORM_TYPE` */
export function submitForm(about: string | undefined, values: FormValues): DataForm {
  const answers = Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [{ name, values: valuesOf(value) }],
  );
  const subject: FormField[] = about === undefined ? [] : [{ name: 'FORM_TYPE', type: 'hidden', values: [about] }];
  return { type: 'submit', fields: [...subject, ...answers] };
}

/** Fills in a form: the proposed values, replaced by `changes`. Fields that only show text are left out, and fields without any value. */
export function answerForm(question: DataForm, changes: FormValues): DataForm {
  const answerable = question.fields.filter(({ name, type }) => name !== undefined && type !== 'fixed');
  const kept = answerable.filter(({ name = '', values }) => changes[name] === undefined && values.length > 0);
  const changed = submitForm(undefined, changes).fields;
  return { type: 'submit', fields: [...kept.map(asAnswer), ...changed] };
}

function asAnswer({ name, type, values }: FormField): FormField {
  return { ...(name === undefined ? {} : { name }), ...(type === undefined ? {} : { type }), values };
}

function valuesOf(value: string | boolean | number | readonly string[]): readonly string[] {
  if (typeof value === 'boolean') return [value ? '1' : '0'];
  return typeof value === 'object' ? value : [String(value)];
}

function readFields(parent: Element): FormField[] {
  return parent.children('field', NS_DATA_FORMS).map(readField);
}

function readField(field: Element): FormField {
  const name = field.attr('var');
  const type = field.attr('type');
  const label = field.attr('label');
  const description = field.childText('desc');
  const options = field.children('option').map(readOption);
  const extensions = field.children().filter(({ ns }) => ns !== NS_DATA_FORMS);
  return {
    ...(name === undefined ? {} : { name }),
    // §3.3: an unknown type counts as `text-single`.
    ...(type === undefined ? {} : { type: isFieldType(type) ? type : 'text-single' }),
    ...(label === undefined ? {} : { label }),
    ...(description === undefined ? {} : { description }),
    ...(field.child('required') === undefined ? {} : { required: true }),
    values: field.children('value').map(({ text }) => text),
    ...(options.length === 0 ? {} : { options }),
    ...(extensions.length === 0 ? {} : { extensions }),
  };
}

function readOption(option: Element): FormOption {
  const label = option.attr('label');
  const value = option.childText('value') ?? '';
  return label === undefined ? { value } : { value, label };
}

function writeField(field: FormField): Element {
  const { name, type, label, description, required = false, values, options = [], extensions = [] } = field;
  return el(
    'field',
    NS_DATA_FORMS,
    { var: name, type, label },
    description === undefined ? undefined : el('desc', NS_DATA_FORMS, {}, description),
    required ? el('required', NS_DATA_FORMS) : undefined,
    ...values.map(writeValue),
    ...options.map((option) => el('option', NS_DATA_FORMS, { label: option.label }, writeValue(option.value))),
    ...extensions,
  );
}

function writeValue(value: string): Element {
  return el('value', NS_DATA_FORMS, {}, value);
}

function isKind(type: string | undefined): type is FormKind {
  return type !== undefined && KINDS.has(type);
}

function isFieldType(type: string): type is FieldType {
  return FIELD_TYPES.has(type);
}
