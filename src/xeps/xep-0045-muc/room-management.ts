/** What moderators, admins and owners do to a room (XEP-0045 §8 to §10). One need not be in a room to manage it. */
import type { Jid } from '../../xmpp-core/jid/jid.js';
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

/** Beside an affiliation. */
export interface AffiliationOptions {
  readonly reason?: string | undefined;
  /** The nick to keep for them. */
  readonly nick?: string | undefined;
}

/** Every method throws a `RoomError` when the room refuses, and what `PluginContext.iq` throws. */
export class RoomManagement {
  readonly #room: Jid;
  readonly #context: Pick<PluginContext, 'iq'>;

  constructor(room: Jid, context: Pick<PluginContext, 'iq'>) {
    this.#room = room;
    this.#context = context;
  }

  /** Everybody with this affiliation, in the room or not: members, admins, owners, and the banned as `outcast`. */
  async affiliated(affiliation: Affiliation): Promise<ListedUser[]> {
    return readList(await this.#ask('list', 'get', writeListQuery({ affiliation })));
  }

  /** Every occupant with this role. */
  async withRole(role: Role): Promise<ListedUser[]> {
    return readList(await this.#ask('list', 'get', writeListQuery({ role })));
  }

  /** Makes an account an owner, an admin, a member, an outcast, or nothing of these. */
  async setAffiliation(jid: Jid, affiliation: Affiliation, options: AffiliationOptions = {}): Promise<void> {
    await this.change([{ jid, affiliation, ...options }]);
  }

  async setRole(nick: string, role: Role, reason?: string): Promise<void> {
    await this.change([{ nick, role, reason }]);
  }

  /** Several changes at once, all of roles or all of affiliations; rooms make all of them or none. */
  async change(changes: readonly ListChange[]): Promise<void> {
    const attempt = changes.some((change) => 'role' in change) ? 'role' : 'affiliation';
    await this.#ask(attempt, 'set', writeChanges(changes));
  }

  /** Sends an occupant out, who may come back (§8.2). */
  kick(nick: string, reason?: string): Promise<void> {
    return this.setRole(nick, 'none', reason);
  }

  /** Sends an account out for good (§9.1). `setAffiliation(jid, 'none')` lets it in again. */
  ban(jid: Jid, reason?: string): Promise<void> {
    return this.setAffiliation(jid, 'outcast', { reason });
  }

  /** Lets a visitor of a moderated room speak (§8.3). */
  grantVoice(nick: string, reason?: string): Promise<void> {
    return this.setRole(nick, 'participant', reason);
  }

  revokeVoice(nick: string, reason?: string): Promise<void> {
    return this.setRole(nick, 'visitor', reason);
  }

  /**
   * Takes back what somebody said, for everybody whose client follows (XEP-0425), in rooms that announce `NS_MODERATION`.
   * @param stanzaId the id that the room gave the message
   */
  async moderate(stanzaId: string, reason?: string): Promise<void> {
    await this.#ask('moderate', 'set', writeModeration(stanzaId, reason));
  }

  /** The form of the room's settings, with their present values (§10.2). */
  async configuration(): Promise<DataForm> {
    const form = childForm(await this.#ask('configure', 'get', el('query', NS_MUC_OWNER)));
    if (form === undefined) throw new XmppError(`${this.#room.toString()} sent no configuration form`);
    return form;
  }

  /**
   * Changes settings, by the names of their fields (`muc#roomconfig_membersonly` …; §15.5.3); all others stay as they are. This also
   * opens a room that was just created.
   * @throws XmppError when the service has no such setting, with those that it has
   */
  async configure(settings: FormValues): Promise<void> {
    const form = await this.configuration();
    const unknown = Object.keys(settings).filter((name) => fieldOf(form, name) === undefined);
    if (unknown.length > 0) {
      const known = form.fields.flatMap(({ name = 'FORM_TYPE' }) => (name === 'FORM_TYPE' ? [] : [name]));
      throw new XmppError(`${this.#room.toString()} has no setting ${unknown.join(', ')}; it has ${known.join(', ')}`);
    }
    // Only what changes is sent, so that what another owner changes meanwhile is not taken back; but what is required has to be there.
    const required = form.fields.filter(
      ({ name = 'FORM_TYPE', required }) => required === true && name !== 'FORM_TYPE',
    );
    const kept = Object.fromEntries(required.map(({ name = '', values }) => [name, values]));
    await this.submit(submitForm(NS_ROOM_CONFIGURATION, { ...kept, ...settings }));
  }

  /** Takes a room that was just created as it is, which opens it (§10.1.2). */
  acceptDefaults(): Promise<void> {
    return this.submit({ type: 'submit', fields: [] });
  }

  /** Gives a room up that was just created and is not open yet (§10.1.3). */
  cancelCreation(): Promise<void> {
    return this.submit({ type: 'cancel', fields: [] });
  }

  /** Answers the form of `configuration()`. */
  async submit(form: DataForm): Promise<void> {
    await this.#ask('configure', 'set', writeConfiguration(form));
  }

  /** Ends the room and sends everybody out (§10.9). */
  async destroy(destruction: Destruction = {}): Promise<void> {
    await this.#ask('destroy', 'set', writeDestruction(destruction));
  }

  #ask(attempt: RoomAttempt, type: 'get' | 'set', payload: Element): Promise<Element | undefined> {
    return attempted(this.#room, attempt, this.#context.iq({ to: this.#room, type, payload }));
  }
}
