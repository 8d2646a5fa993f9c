/** What people ask of a room and its moderators decide: voice (XEP-0045 §7.13, §8.6) and membership (§9.9). */
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
/** The `FORM_TYPE` of registration with a room (§15.5.1). */
export const NS_ROOM_REGISTRATION = 'http://jabber.org/protocol/muc#register';

/** The two kinds, and in which field of their form each has what. */
const KINDS = {
  voice: { about: NS_VOICE_REQUEST, nick: 'muc#roomnick', allow: 'muc#request_allow' },
  registration: { about: NS_ROOM_REGISTRATION, nick: 'muc#register_roomnick', allow: 'muc#register_allow' },
} as const;

/** A moderator is asked to decide. */
export interface ApprovalRequest {
  readonly kind: keyof typeof KINDS;
  readonly nick: string | undefined;
  /** Who asks, where the room says it. */
  readonly jid: Jid | undefined;
  /** All that the room tells. */
  readonly form: DataForm;
}

/** The request in a message of the room itself. */
export function readApprovalRequest(message: Element): ApprovalRequest | undefined {
  const form = childForm(message);
  if (form?.type !== 'form') return undefined;
  const about = formType(form);
  const kind = about === KINDS.voice.about ? 'voice' : about === KINDS.registration.about ? 'registration' : undefined;
  if (kind === undefined) return undefined;
  return { kind, nick: fieldValue(form, KINDS[kind].nick), jid: Jid.tryParse(fieldValue(form, 'muc#jid')), form };
}

export function writeApproval({ kind, form }: ApprovalRequest, allow: boolean): Element {
  return writeDataForm(answerForm(form, { [KINDS[kind].allow]: allow }));
}

/** A visitor asks for voice. */
export function writeVoiceRequest(): Element {
  return writeDataForm(submitForm(NS_VOICE_REQUEST, { 'muc#role': 'participant' }));
}
