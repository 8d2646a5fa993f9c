/** What rooms and their services say about themselves (XEP-0045 §6). */
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

/** What a room says about itself; we need not be in it (§6.4). A field is `undefined` if the room does not send it. */
export interface RoomInformation {
  readonly name: string | undefined;
  /** All features that it announces. */
  readonly features: ReadonlySet<string>;
  readonly wantsPassword: boolean;
  readonly membersOnly: boolean;
  readonly moderated: boolean;
  readonly persistent: boolean;
  readonly hidden: boolean;
  /** Whether every occupant can see our JID. */
  readonly nonAnonymous: boolean;
  readonly description: string | undefined;
  readonly subject: string | undefined;
  /** How many occupants it has. */
  readonly occupants: number | undefined;
  readonly language: string | undefined;
  /** The JIDs of persons to contact about it. */
  readonly contacts: readonly string[];
  /** The address of a public log of its messages. */
  readonly logs: string | undefined;
  /** How many messages of the history it sends at most. */
  readonly maxHistory: number | undefined;
  /** Whether every occupant may change the subject. */
  readonly subjectIsForAll: boolean | undefined;
  /** The whole form of the room, with the fields above and others. */
  readonly form: DataForm | undefined;
}

/** A public room in the list of a service. */
export interface ListedRoom {
  readonly jid: Jid;
  readonly name: string | undefined;
}

/** Reads the answer to a discovery of a room. */
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

/** Whether a discovery is that of a chat service (§6.2), and not of a room. */
export function hasRooms({ features, identities }: DiscoInfo): boolean {
  return features.has(NS_MUC) && identities.some(({ category }) => category === 'conference');
}

/** Whether there may be rooms at a service. Gateways have rooms that only their users see. */
export function mayHaveRooms({ features, identities }: DiscoInfo): boolean {
  return features.has(NS_MUC) || identities.some(({ category }) => category === 'conference' || category === 'gateway');
}

function count(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
