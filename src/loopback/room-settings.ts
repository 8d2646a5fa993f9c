/** The configuration of a loopback room, with fields of XEP-0045 §15.5.3: who sees real JIDs, who may enter, and who may write. */
import { NS_MUC } from '../xeps/xep-0045-muc/join.js';
import { NS_ROOM_CONFIGURATION } from '../xeps/xep-0045-muc/owner.js';
import { fieldBoolean, fieldValue, type DataForm } from '../xeps/xep-0004-data-forms.js';

/** The settings of a room. */
export interface RoomSettings {
  /** Whether everybody sees the real JIDs of occupants; else only owners do, the default of real servers. */
  readonly showsJids: boolean;
  readonly membersOnly: boolean;
  /** Whether only members may write. */
  readonly moderated: boolean;
  readonly isProtected: boolean;
  /** The password of a protected room. */
  readonly secret: string;
}

/** The settings of a new room. */
export const DEFAULT_SETTINGS: RoomSettings = {
  showsJids: true,
  membersOnly: false,
  moderated: false,
  isProtected: false,
  secret: '',
};

const WHOIS = 'muc#roomconfig_whois';
const MEMBERS_ONLY = 'muc#roomconfig_membersonly';
const MODERATED = 'muc#roomconfig_moderatedroom';
const PROTECTED = 'muc#roomconfig_passwordprotectedroom';
const SECRET = 'muc#roomconfig_roomsecret';

/** Writes the configuration form for an owner. */
export function settingsForm({ showsJids, membersOnly, moderated, isProtected, secret }: RoomSettings): DataForm {
  const flag = (value: boolean): string[] => [value ? '1' : '0'];
  return {
    type: 'form',
    fields: [
      { name: 'FORM_TYPE', type: 'hidden', values: [NS_ROOM_CONFIGURATION] },
      { name: WHOIS, type: 'list-single', values: [showsJids ? 'anyone' : 'moderators'] },
      { name: MEMBERS_ONLY, type: 'boolean', values: flag(membersOnly) },
      { name: MODERATED, type: 'boolean', values: flag(moderated) },
      { name: PROTECTED, type: 'boolean', values: flag(isProtected) },
      { name: SECRET, type: 'text-private', values: [secret] },
    ],
  };
}

/** Applies a submitted form; settings that are not in it stay unchanged. */
export function changedSettings(before: RoomSettings, form: DataForm): RoomSettings {
  const whois = fieldValue(form, WHOIS);
  return {
    showsJids: whois === undefined ? before.showsJids : whois === 'anyone',
    membersOnly: fieldBoolean(form, MEMBERS_ONLY) ?? before.membersOnly,
    moderated: fieldBoolean(form, MODERATED) ?? before.moderated,
    isProtected: fieldBoolean(form, PROTECTED) ?? before.isProtected,
    secret: fieldValue(form, SECRET) ?? before.secret,
  };
}

/** The features that a room announces for its settings (XEP-0045 §6.4). */
export function featuresOf({ showsJids, membersOnly, moderated, isProtected }: RoomSettings): readonly string[] {
  return [
    NS_MUC,
    showsJids ? 'muc_nonanonymous' : 'muc_semianonymous',
    membersOnly ? 'muc_membersonly' : 'muc_open',
    moderated ? 'muc_moderated' : 'muc_unmoderated',
    isProtected ? 'muc_passwordprotected' : 'muc_unsecured',
  ];
}
