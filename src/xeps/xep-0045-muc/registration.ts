/** Registration with a room, which makes us a member and reserves our nick (XEP-0045 §7.10, §7.12). */
import { StanzaError, XmppError } from '../../xmpp-core/errors.js';
import type { Jid } from '../../xmpp-core/jid/jid.js';
import type { PluginContext } from '../../xmpp-core/plugin.js';
import { el, type Element } from '../../xmpp-core/xml/element.js';
import { childForm, submitForm, writeDataForm, type DataForm, type FormValues } from '../xep-0004-data-forms.js';
import { NS_DISCO_INFO, readDiscoInfo } from '../xep-0030-service-discovery.js';
import { NS_ROOM_REGISTRATION } from './approvals.js';
import { attempted } from './room-error.js';

/** XEP-0077; rooms use only this part of it. */
const NS_REGISTER = 'jabber:iq:register';
/** The node under which a room shows our reserved nick. */
const RESERVED_NICK = 'x-roomuser-item';

/** Our registration with a room, or the form to register with. */
export type RoomRegistrationState =
  | { readonly registered: true; readonly nick: string | undefined }
  /** `form` has the fields that the room asks for. */
  | { readonly registered: false; readonly form: DataForm };

/** Our registration with one room. Every method throws a `RoomError` if the room refuses, and what `PluginContext.iq` throws. */
export class RoomRegistration {
  readonly #room: Jid;
  readonly #context: Pick<PluginContext, 'iq'>;

  constructor(room: Jid, context: Pick<PluginContext, 'iq'>) {
    this.#room = room;
    this.#context = context;
  }

  /** Whether we are registered; if not, the form to register with. @throws XmppError if the room sends no form */
  async state(): Promise<RoomRegistrationState> {
    const query = await this.#ask('get', el('query', NS_REGISTER));
    if (query?.child('registered') !== undefined) return { registered: true, nick: query.childText('username') };
    const form = childForm(query);
    if (form === undefined) throw new XmppError(`${this.#room.toString()} sent no registration form`);
    return { registered: false, form };
  }

  /** Registers us with a nick. In some rooms a moderator decides about it first. @param more values for other fields of the form */
  async register(nick: string, more: FormValues = {}): Promise<void> {
    const form = submitForm(NS_ROOM_REGISTRATION, { 'muc#register_roomnick': nick, ...more });
    await this.#ask('set', el('query', NS_REGISTER, {}, writeDataForm(form)));
  }

  /** Cancels our registration (XEP-0077 §3.2). */
  async cancel(): Promise<void> {
    await this.#ask('set', el('query', NS_REGISTER, {}, el('remove', NS_REGISTER)));
  }

  /** Our reserved nick; `undefined` if there is none, or the room does not show it. */
  async nick(): Promise<string | undefined> {
    const payload = el('query', NS_DISCO_INFO, { node: RESERVED_NICK });
    try {
      const query = await this.#context.iq({ to: this.#room, type: 'get', payload });
      return query === undefined ? undefined : readDiscoInfo(query).identities[0]?.name;
    } catch (error) {
      if (error instanceof StanzaError) return undefined;
      throw error;
    }
  }

  #ask(type: 'get' | 'set', payload: Element): Promise<Element | undefined> {
    return attempted(this.#room, 'register', this.#context.iq({ to: this.#room, type, payload }));
  }
}
