/** What moderators, admins and owners of a room can do (XEP-0045 §8 to §10). They need not be in the room. */
import { Jid } from '../../xmpp-core/jid/jid.js';
import type { PluginContext } from '../../xmpp-core/plugin.js';
import type { Element } from '../../xmpp-core/xml/element.js';
import { el } from '../../xmpp-core/xml/element.js';
import { XmppError } from '../../xmpp-core/errors.js';
import { childForm, fieldOf, submitForm, type DataForm, type FormValues } from '../xep-0004-data-forms.js';
import { writeModeration } from '../xep-0425-moderated-message-retraction.js';
import { readList, writeChanges, writeListQuery, type ListChange, type ListedUser } from './admin.js';
import type { Affiliation, Role } from './muc-user.js';
import {
  NS_MUC_OWNER,
  NS_ROOM_CONFIGURATION,
  writeConfiguration,
  writeDestruction,
  type Destruction,
} from './owner.js';
import { attempted, type RoomAttempt } from './room-error.js';

/** The optional parts of a new affiliation. */
export interface AffiliationOptions {
  readonly reason?: string | undefined;
  /** The nick to reserve for them. */
  readonly nick?: string | undefined;
}

/** The management of one room. Every method throws a `RoomError` if the room refuses, and what `PluginContext.iq` throws. */
export class RoomManagement {
  readonly #room: Jid;
  readonly #context: Pick<PluginContext, 'iq'>;

  constructor(room: Jid, context: Pick<PluginContext, 'iq'>) {
    this.#room = room;
    this.#context = context;
  }

  /** Lists the accounts with an affiliation, in the room or not. Banned accounts have the affiliation `outcast`. */
  async affiliated(affiliation: Affiliation): Promise<ListedUser[]> {
    return readList(await this.#ask('list', 'get', writeListQuery({ affiliation })));
  }

  /** Lists the occupants with a role. */
  async withRole(role: Role): Promise<ListedUser[]> {
    return readList(await this.#ask('list', 'get', writeListQuery({ role })));
  }

  /** Gives an account an affiliation; `none` removes the one that it has. */
  async setAffiliation(jid: Jid | string, affiliation: Affiliation, options: AffiliationOptions = {}): Promise<void> {
    await this.change([{ jid: Jid.from(jid), affiliation, ...options }]);
  }

  /** Gives an occupant a role. */
  async setRole(nick: string, role: Role, reason?: string): Promise<void> {
    await this.change([{ nick, role, reason }]);
  }

  /** Makes several changes at once, all of roles or all of affiliations. A room makes all of them or none. */
  async change(changes: readonly ListChange[]): Promise<void> {
    const attempt = changes.some((change) => 'role' in change) ? 'role' : 'affiliation';
    await this.#ask(attempt, 'set', writeChanges(changes));
  }

  /** Removes an occupant, who may join again (§8.2). */
  kick(nick: string, reason?: string): Promise<void> {
    return this.setRole(nick, 'none', reason);
  }

  /** Bans an account (§9.1). `setAffiliation(jid, 'none')` lifts the ban. */
  ban(jid: Jid | string, reason?: string): Promise<void> {
    return this.setAffiliation(jid, 'outcast', { reason });
  }

  /** Lets a visitor of a moderated room send messages to it (§8.3). */
  grantVoice(nick: string, reason?: string): Promise<void> {
    return this.setRole(nick, 'participant', reason);
  }

  /** Takes that permission away (§8.4). */
  revokeVoice(nick: string, reason?: string): Promise<void> {
    return this.setRole(nick, 'visitor', reason);
  }

  /**
   * Retracts somebody's message for everybody whose client supports it (XEP-0425). The room has to announce `NS_MODERATION`.
   * @param stanzaId the id that the room assigned to the message
   */
  async moderate(stanzaId: string, reason?: string): Promise<void> {
    await this.#ask('moderate', 'set', writeModeration(stanzaId, reason));
  }

  /** The form of the room's settings with their current values (§10.2). @throws XmppError if the room sends no form */
  async configuration(): Promise<DataForm> {
    const form = childForm(await this.#ask('configure', 'get', el('query', NS_MUC_OWNER)));
    if (form === undefined) throw new XmppError(`${this.#room.toString()} sent no configuration form`);
    return form;
  }

  /**
   * Changes settings, by the names of their fields (`muc#roomconfig_membersonly` …; §15.5.3). All others keep their values. This also opens
   * a room that was just created.
   * @throws XmppError if the service has no such setting; the message lists those that it has
   */
  async configure(settings: FormValues): Promise<void> {
    const form = await this.configuration();
    const unknown = Object.keys(settings).filter((name) => fieldOf(form, name) === undefined);
    if (unknown.length > 0) {
      const known = form.fields.flatMap(({ name = 'FORM_TYPE' }) => (name === 'FORM_TYPE' ? [] : [name]));
      throw new XmppError(`${this.#room.toString()} has no setting ${unknown.join(', ')}; it has ${known.join(', ')}`);
    }
    // Only changed and required fields are sent, so that a change of another owner is not undone.
    const required = form.fields.filter(
      ({ name = 'FORM_TYPE', required }) => required === true && name !== 'FORM_TYPE',
    );
    const kept = Object.fromEntries(required.map(({ name = '', values }) => [name, values]));
    await this.submit(submitForm(NS_ROOM_CONFIGURATION, { ...kept, ...settings }));
  }

  /** Accepts the defaults of a room that was just created, which opens it (§10.1.2). */
  acceptDefaults(): Promise<void> {
    return this.submit({ type: 'submit', fields: [] });
  }

  /** Cancels the creation of a room that is not open yet (§10.1.3). */
  cancelCreation(): Promise<void> {
    return this.submit({ type: 'cancel', fields: [] });
  }

  /** Submits the filled form of `configuration()`. */
  async submit(form: DataForm): Promise<void> {
    await this.#ask('configure', 'set', writeConfiguration(form));
  }

  /** Destroys the room, which removes everybody from it (§10.9). */
  async destroy(destruction: Destruction = {}): Promise<void> {
    await this.#ask('destroy', 'set', writeDestruction(destruction));
  }

  #ask(attempt: RoomAttempt, type: 'get' | 'set', payload: Element): Promise<Element | undefined> {
    return attempted(this.#room, attempt, this.#context.iq({ to: this.#room, type, payload }));
  }
}
