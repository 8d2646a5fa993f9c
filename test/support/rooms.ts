/** The room of the tests, and the stanzas that it sends. */
import { NS_MUC_USER } from '../../src/xeps/index.js';
import { Jid } from '../../src/xmpp-core/jid/jid.js';

export const NS_STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas';
export const ROOM = Jid.parse('tea@rooms.localhost');
export const ROOM_TEXT = ROOM.toString();

/** The item of an ordinary occupant. */
export const item = `<item affiliation='none' role='participant'/>`;

/** The elements for status codes. */
export const status = (...codes: number[]): string => codes.map((code) => `<status code='${code}'/>`).join('');

/** A presence of an occupant. @param rest what the room says about them: an item, status codes */
export const presence = (nick: string, rest: string, type = ''): string =>
  `<presence from='${ROOM_TEXT}/${nick}' ${type === '' ? '' : `type='${type}'`}>` +
  `<x xmlns='${NS_MUC_USER}'>${rest}</x></presence>`;

/** A groupchat message of an occupant, or of the room itself if the nick is empty. */
export const spoken = (nick: string, rest: string): string =>
  `<message type='groupchat' from='${ROOM_TEXT}${nick === '' ? '' : `/${nick}`}'>${rest}</message>`;

/** The refusal of a presence that ann sent. */
export const refusal = (id: string, condition: string): string =>
  `<presence type='error' id='${id}' from='${ROOM_TEXT}/ann'><error type='cancel'><${condition} xmlns='${NS_STANZAS}'/></error></presence>`;

/** The error of an IQ. */
export const iqError = (id: string, from: string, condition: string): string =>
  `<iq type='error' id='${id}' from='${from}'><error type='cancel'><${condition} xmlns='${NS_STANZAS}'/></error></iq>`;
