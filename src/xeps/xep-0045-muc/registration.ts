/** Becoming a member of a room, with a nick that is kept for us (XEP-0045 §7.10, §7.12). */
import { StanzaError, XmppError } from '../../xmpp-core/errors.js';
import type { Jid } from '../../xmpp-core/jid/jid.js';
import type { PluginContext } from '../../xmpp-core/plugin.js';
import { el, type Element } from '../../xmpp-core/xml/element.js';
import { childForm, submitForm, writeDataForm, type DataForm, type FormValues } from '../xep-0004-data-forms.js';
import { NS_DISCO_INFO, readDiscoInfo } from '../xep-0030-service-discovery.js';
import { NS_ROOM_REGISTRATION } from './approvals.js';
import { attempted } from './room-error.js';

/** XEP-0077, which rooms use in this one way. */
const NS_REGISTER = 'jabber:iq:register';
/** The node under which a room tells the nick that it keeps for who asks. */
const RESERVED_NICK = 'x-roomuser-item';

/** How we stand with a room. */
export type RoomRegistrationState =
  | { readonly registered: true; readonly nick: string | undefined }
  /** What the room wants to know. */
  | { readonly registered: false; readonly form: DataForm };

/** Every method throws a `RoomError` when the room refuses, and what `PluginContext.iq` throws. */
export class RoomRegistration {
  readonly #room: Jid;
  readonly #context: Pick<PluginContext, 'iq'>;

  constructor(room: Jid, context: Pick<PluginContext, 'iq'>) {
    this.#room = room;
    this.#context = context;
  }

  /** Whether we are registered, or what the room wants to know for that. */
  async state(): Promise<RoomRegistrationState> {
    const query = await this.#ask('get', el('query', NS_REGISTER));
    if (query?.child('registered') !== undefined) return { registered: true, nick: query.childText('username') };
    const form = childForm(query);
    if (form === undefined) throw new XmppError(`${this.#room.toString()} sent no registration form`);
    return { registered: false, form };
  }

  /** Registers us with that nick. Some rooms have a moderator decide first. @param more what else the form asks for */
  async register(nick: string, more: FormValues = {}): Promise<void> {
    const form = submitForm(NS_ROOM_REGISTRATION, { 'muc#register_roomnick': nick, ...more });
    await this.#ask('set', el('query', NS_REGISTER, {}, writeDataForm(form)));
  }

  /** Takes the registration back (XEP-0077 §3.2). */
  async cancel(): Promise<void> {
    await this.#ask('set', el('query', NS_REGISTER, {}, el('remove', NS_REGISTER)));
  }

  /** The nick that is kept for us; `undefined` when there is none, or the room does not tell. */
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
