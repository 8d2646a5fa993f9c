/** Requests that moderators of a room approve: for voice (XEP-0045 §7.13, §8.6) and for membership (§9.9). */
import { Jid } from '../../xmpp-core/jid/jid.js';
import type { Element } from '../../xmpp-core/xml/element.js';
import {
  answerForm,
  childForm,
  fieldValue,
  formType,
  submitForm,
  writeDataForm,
  type DataForm,
} from '../xep-0004-data-forms.js';

const NS_VOICE_REQUEST = 'http://jabber.org/protocol/muc#request';
/** The `FORM_TYPE` of a registration with a room (§15.5.1). */
export const NS_ROOM_REGISTRATION = 'http://jabber.org/protocol/muc#register';

/** The kinds of requests: their `FORM_TYPE` and the fields of their form. */
const KINDS = {
  voice: { formType: NS_VOICE_REQUEST, nick: 'muc#roomnick', allow: 'muc#request_allow' },
  registration: { formType: NS_ROOM_REGISTRATION, nick: 'muc#register_roomnick', allow: 'muc#register_allow' },
} as const;

/** A request that we can approve as a moderator. */
export interface ApprovalRequest {
  readonly kind: keyof typeof KINDS;
  /** The nick of the person who asks. */
  readonly nick: string | undefined;
  /** The JID of the person who asks, if the room names it. */
  readonly jid: Jid | undefined;
  /** The whole form of the room. */
  readonly form: DataForm;
}

/** Reads the request in a message of the room itself; `undefined` if there is none. */
export function readApprovalRequest(message: Element): ApprovalRequest | undefined {
  const form = childForm(message);
  if (form?.type !== 'form') return undefined;
  const type = formType(form);
  const kind =
    type === KINDS.voice.formType ? 'voice' : type === KINDS.registration.formType ? 'registration' : undefined;
  if (kind === undefined) return undefined;
  return { kind, nick: fieldValue(form, KINDS[kind].nick), jid: Jid.fromWire(fieldValue(form, 'muc#jid')), form };
}

/** Writes the answer to a request: its form, filled in. */
export function writeApproval({ kind, form }: ApprovalRequest, allow: boolean): Element {
  return writeDataForm(answerForm(form, { [KINDS[kind].allow]: allow }));
}

/** Writes a visitor's request for voice. */
export function writeVoiceRequest(): Element {
  return writeDataForm(submitForm(NS_VOICE_REQUEST, { 'muc#role': 'participant' }));
}
