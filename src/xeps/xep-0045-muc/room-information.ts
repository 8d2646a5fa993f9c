/** What rooms and their services tell of themselves (XEP-0045 §6). */
import type { Jid } from '../../xmpp-core/jid/jid.js';
import {
  fieldBoolean,
  fieldValue,
  fieldValues,
  formType,
  readDataForm,
  type DataForm,
} from '../xep-0004-data-forms.js';
import type { DiscoInfo } from '../xep-0030-service-discovery.js';
import { NS_MUC } from './join.js';

const NS_ROOM_INFORMATION = 'http://jabber.org/protocol/muc#roominfo';

/** What is known of a room before entering it (§6.4). What a room does not say is `undefined`. */
export interface RoomInformation {
  readonly name: string | undefined;
  /** Everything it announces. */
  readonly features: ReadonlySet<string>;
  readonly wantsPassword: boolean;
  readonly membersOnly: boolean;
  readonly moderated: boolean;
  readonly persistent: boolean;
  readonly hidden: boolean;
  /** Whether every occupant is shown our JID. */
  readonly nonAnonymous: boolean;
  readonly description: string | undefined;
  readonly subject: string | undefined;
  readonly occupants: number | undefined;
  readonly language: string | undefined;
  readonly contacts: readonly string[];
  /** Where what is said can be read by others. */
  readonly logs: string | undefined;
  readonly maxHistory: number | undefined;
  readonly subjectIsForAll: boolean | undefined;
  /** The form with all of that, and what else there is. */
  readonly form: DataForm | undefined;
}

/** A room of a service. */
export interface ListedRoom {
  readonly jid: Jid;
  readonly name: string | undefined;
}

export function readRoomInformation({ identities, features, forms }: DiscoInfo): RoomInformation {
  const form = forms.map(readDataForm).find((one) => formType(one) === NS_ROOM_INFORMATION);
  const info = (name: string): string | undefined => fieldValue(form, `muc#roominfo_${name}`);
  return {
    name: identities.find(({ category }) => category === 'conference')?.name,
    features,
    wantsPassword: features.has('muc_passwordprotected'),
    membersOnly: features.has('muc_membersonly'),
    moderated: features.has('muc_moderated'),
    persistent: features.has('muc_persistent'),
    hidden: features.has('muc_hidden'),
    nonAnonymous: features.has('muc_nonanonymous'),
    description: info('description'),
    subject: info('subject'),
    occupants: count(info('occupants')),
    language: info('lang'),
    contacts: fieldValues(form, 'muc#roominfo_contactjid'),
    logs: info('logs'),
    maxHistory: count(fieldValue(form, 'muc#maxhistoryfetch')),
    subjectIsForAll:
      fieldBoolean(form, 'muc#roominfo_subjectmod') ?? fieldBoolean(form, 'muc#roomconfig_changesubject'),
    form,
  };
}

/** Whether that is a service that has rooms (§6.2), and not a room of one. */
export function hasRooms({ features, identities }: DiscoInfo): boolean {
  return features.has(NS_MUC) && identities.some(({ category }) => category === 'conference');
}

function count(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
