/** What the owners of a loopback room decide, as the configuration form of XEP-0045 §15.5.3 has it: who is seen, and who may come in. */
import { NS_MUC } from '../xeps/xep-0045-muc/join.js';
import { NS_ROOM_CONFIGURATION } from '../xeps/xep-0045-muc/owner.js';
import { fieldBoolean, fieldValue, type DataForm } from '../xeps/xep-0004-data-forms.js';

export interface RoomSettings {
  /** Whether everybody sees who is behind a nick; else only the owners do, as real servers have it unless told. */
  readonly showsJids: boolean;
  readonly membersOnly: boolean;
  readonly isProtected: boolean;
  /** The password of a protected room. */
  readonly secret: string;
}

export const DEFAULT_SETTINGS: RoomSettings = { showsJids: true, membersOnly: false, isProtected: false, secret: '' };

const WHOIS = 'muc#roomconfig_whois';
const MEMBERS_ONLY = 'muc#roomconfig_membersonly';
const PROTECTED = 'muc#roomconfig_passwordprotectedroom';
const SECRET = 'muc#roomconfig_roomsecret';

/** The form with which an owner is asked. */
export function settingsForm({ showsJids, membersOnly, isProtected, secret }: RoomSettings): DataForm {
  const flag = (value: boolean): string[] => [value ? '1' : '0'];
  return {
    type: 'form',
    fields: [
      { name: 'FORM_TYPE', type: 'hidden', values: [NS_ROOM_CONFIGURATION] },
      { name: WHOIS, type: 'list-single', values: [showsJids ? 'anyone' : 'moderators'] },
      { name: MEMBERS_ONLY, type: 'boolean', values: flag(membersOnly) },
      { name: PROTECTED, type: 'boolean', values: flag(isProtected) },
      { name: SECRET, type: 'text-private', values: [secret] },
    ],
  };
}

/** What an owner answered; what is not in it stays as it was. */
export function changedSettings(before: RoomSettings, form: DataForm): RoomSettings {
  const whois = fieldValue(form, WHOIS);
  return {
    showsJids: whois === undefined ? before.showsJids : whois === 'anyone',
    membersOnly: fieldBoolean(form, MEMBERS_ONLY) ?? before.membersOnly,
    isProtected: fieldBoolean(form, PROTECTED) ?? before.isProtected,
    secret: fieldValue(form, SECRET) ?? before.secret,
  };
}

/** What the room announces of them (XEP-0045 §6.4). */
export function featuresOf({ showsJids, membersOnly, isProtected }: RoomSettings): readonly string[] {
  return [
    NS_MUC,
    showsJids ? 'muc_nonanonymous' : 'muc_semianonymous',
    membersOnly ? 'muc_membersonly' : 'muc_open',
    isProtected ? 'muc_passwordprotected' : 'muc_unsecured',
  ];
}
