/** Rooms (XEP-0045), and what only rooms have. */
import {
  type Actor,
  type ApprovalRequest,
  type HistoryRequest,
  type Invitation,
  muc,
  NS_MUC,
  type Occupant,
  readMucUser,
  type Room,
  type RoomMessage,
} from '../../../src/xeps/xep-0045-muc/index.js';
import { mucSelfPing } from '../../../src/xeps/xep-0410-muc-self-ping.js';
import { mucAvatars } from '../../../src/xeps/xep-0486-muc-avatars.js';
import type { Client } from '../../../src/xmpp-core/client.js';
import { XmppError } from '../../../src/xmpp-core/errors.js';
import { type Presence, writeMessage } from '../../../src/xmpp-core/stanza/stanzas.js';
import type { Asked } from './asked.js';
import {
  formItems,
  list,
  time,
  yes,
  type Actions,
  type Application,
  type Extensions,
  type Fields,
} from './extension.js';
import { failure } from './failures.js';

const AFFILIATIONS = ['owner', 'admin', 'member', 'none', 'outcast'] as const;
const ROLES = ['moderator', 'participant', 'visitor', 'none'] as const;

/** Whether a presence is told as what it means in a room. */
export function isOfRoom({ element }: Presence): boolean {
  return readMucUser(element) !== undefined || element.child('x', NS_MUC) !== undefined;
}

export const roomExtensions: Extensions = {
  'XEP-0045': {
    plugins: [muc],
    attach(application) {
      const invitations = new Map<string, Invitation>();
      const requests = new Map<string, ApprovalRequest>();
      tellOfRooms(application);
      const { events } = application.client.get(muc);
      events.on('invited', (invitation) => invitations.set(invitation.room.toString(), invitation));
      events.on('approvalRequested', ({ room, request }) => requests.set(keyOf(room, request.nick), request));
      return {
        ...ofOccupants(application),
        ...ofManagers(application),
        ...ofRegistration(application),
        decline(asked) {
          const invitation = known(invitations, asked.needJid('room').toString(), 'invitation');
          application.client.get(muc).decline(invitation, asked.text('reason'));
        },
        decide(asked) {
          const room = roomOf(application.client, asked);
          room.decide(known(requests, keyOf(room, asked.need('nick')), 'request'), asked.flag('allow'));
        },
      };
    },
  },
  'XEP-0410': {
    plugins: [mucSelfPing],
    attach({ client }) {
      return {
        check: async (asked) => ({ verdict: await client.get(mucSelfPing).check(roomOf(client, asked)) }),
      };
    },
  },
  'XEP-0425': {
    plugins: [muc],
    attach({ client, tell }) {
      const rooms = client.get(muc);
      rooms.events.on('moderated', ({ room, id, by, reason }) =>
        tell('moderated', { room: room.jid.toString(), id, by: by?.toString(), reason }),
      );
      return {
        moderate: async (asked) =>
          rooms.management(asked.needJid('room')).moderate(asked.need('id'), asked.text('reason')),
      };
    },
  },
  'XEP-0486': {
    plugins: [mucAvatars],
    attach({ client, tell }) {
      const avatars = client.get(mucAvatars);
      avatars.events.on('changed', ({ room }) => tell('room-avatar-changed', { room: room.jid.toString() }));
      return {
        async 'room-avatar'(asked) {
          const photo = await avatars.fetch(asked.needJid('room'));
          return { type: photo?.mediaType, bytes: photo?.bytes.length };
        },
        'room-avatar-set': async (asked) =>
          avatars.publish(asked.needJid('room'), Buffer.from(asked.need('image'), 'base64')),
      };
    },
  },
};

function tellOfRooms({ client, tell, tellMessage }: Application): void {
  const { events } = client.get(muc);
  const said = (message: RoomMessage, more: Fields = {}): void =>
    tellMessage(message, { ...more, own: yes(message.own), delay: time(message.delayed) });
  events.on('joined', ({ room, nick, created, nonAnonymous, logged, nickAssigned }) =>
    tell('joined', {
      room: room.jid.toString(),
      nick,
      created: yes(created),
      'non-anonymous': yes(nonAnonymous),
      logged: yes(logged),
      'nick-assigned': yes(nickAssigned),
    }),
  );
  events.on('left', ({ room, why, reason, by, destruction }) =>
    tell('left', {
      room: room.jid.toString(),
      why,
      by: actorOf(by),
      reason: reason ?? destruction?.reason,
      alternate: destruction?.alternate?.toString(),
    }),
  );
  events.on('joinFailed', ({ room, error }) =>
    tell('join-failed', { room: room.jid.toString(), ...failure(error, 'local') }),
  );
  events.on('message', (message) => said(message));
  events.on('privateMessage', (message) => said(message, { private: 'yes' }));
  events.on('notice', ({ message }) => tellMessage(message));
  events.on('subject', ({ room, nick, subject }) =>
    tell('subject', { room: room.jid.toString(), nick: nick === '' ? undefined : nick, subject }),
  );
  events.on('occupantJoined', ({ room, occupant }) => tell('occupant', occupantFields(room, occupant)));
  events.on('occupantChanged', ({ room, occupant }) => tell('occupant-changed', occupantFields(room, occupant)));
  events.on('occupantLeft', ({ room, occupant: { nick }, why, reason, by }) =>
    tell('occupant-left', { room: room.jid.toString(), nick, why, by: actorOf(by), reason }),
  );
  events.on('renamed', ({ room, before, nick, self }) =>
    tell('renamed', { room: room.jid.toString(), before, nick, self: yes(self) }),
  );
  events.on('crowded', ({ room }) => tell('crowded', { room: room.jid.toString() }));
  events.on('affiliationChanged', ({ room, affiliation, jid, nick, actor, reason, own }) =>
    tell('affiliation', {
      room: room.jid.toString(),
      jid: jid?.toString(),
      nick,
      affiliation,
      by: actorOf(actor),
      reason,
      own: yes(own),
    }),
  );
  events.on('configured', ({ room, changes }) =>
    tell('configured', { room: room.jid.toString(), changes: list(changes) }),
  );
  events.on('approvalRequested', ({ room, request: { kind, nick, jid } }) =>
    tell('approval-requested', { room: room.jid.toString(), kind, nick, jid: jid?.toString() }),
  );
  events.on('invited', ({ room, by, reason, password, direct }) =>
    tell('invited', { room: room.toString(), by: by?.toString(), reason, password, direct: yes(direct) }),
  );
  events.on('declined', ({ room, by, reason }) =>
    tell('declined', { room: room.jid.toString(), by: by?.toString(), reason }),
  );
}

/** What everybody can do who is in a room, or on the way in. */
function ofOccupants({ client, compose }: Application): Actions {
  const rooms = client.get(muc);
  const joined = (asked: Asked): Room => roomOf(client, asked);
  return {
    async join(asked) {
      const history = historyOf(asked);
      const configuration = asked.form();
      await rooms.join(asked.needJid('room'), {
        nick: asked.need('nick'),
        password: asked.text('password'),
        ...(history === undefined ? {} : { history }),
        whenTaken: asked.word('when-taken', ['next', 'fail']) ?? 'fail',
        ...(Object.keys(configuration).length === 0 ? {} : { configuration }),
      });
    },
    leave: (asked) => rooms.leave(asked.needJid('room'), asked.text('status')),
    say(asked) {
      const room = joined(asked);
      const message = writeMessage({ to: room.jid, type: 'groupchat', body: asked.need('body') });
      const { body, payloads } = parts(compose(message, asked));
      room.sendMessage(body, payloads);
    },
    whisper(asked) {
      const room = joined(asked);
      const message = writeMessage({ to: room.jid, type: 'chat', body: asked.need('body') });
      const { body, payloads } = parts(compose(message, asked));
      room.sendPrivateMessage(asked.need('nick'), body, payloads);
    },
    'subject-set': async (asked) => joined(asked).setSubject(asked.need('subject')),
    'nick-set': async (asked) => joined(asked).changeNick(asked.need('nick')),
    'room-presence': (asked) =>
      joined(asked).setPresence({
        show: asked.word('show', ['away', 'chat', 'dnd', 'xa']),
        status: asked.text('status'),
      }),
    invite(asked) {
      const room = joined(asked);
      const options = { reason: asked.text('reason') };
      if (asked.flag('direct')) room.inviteDirectly(asked.needJid('jid'), options);
      else room.invite(asked.needJid('jid'), options);
    },
    'request-voice': (asked) => joined(asked).requestVoice(),
    async 'room-info'(asked) {
      const { name, description, subject, occupants, ...told } = await rooms.information(asked.needJid('room'));
      const words = ['wantsPassword', 'membersOnly', 'moderated', 'persistent', 'hidden', 'nonAnonymous'] as const;
      return {
        name,
        description,
        subject,
        occupants,
        is: list(
          words.filter((word) => told[word]).map((word) => word.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)),
        ),
      };
    },
    async rooms(asked, item) {
      for (const { jid, name } of await rooms.list(asked.needJid('service'))) item({ jid: jid.toString(), name });
    },
    async 'room-services'(_asked, item) {
      for (const jid of await rooms.services()) item({ jid: jid.toString() });
    },
  };
}

/** What takes a moderator, an admin or an owner. */
function ofManagers({ client }: Application): Actions {
  const managed = (asked: Asked): Room['management'] => client.get(muc).management(asked.needJid('room'));
  return {
    async affiliated(asked, item) {
      const users = await managed(asked).affiliated(asked.needWord('affiliation', AFFILIATIONS));
      for (const { jid, nick, reason } of users) item({ jid: jid?.toString(), nick, reason });
    },
    async 'with-role'(asked, item) {
      const users = await managed(asked).withRole(asked.needWord('role', ROLES));
      for (const { jid, nick, affiliation } of users) item({ nick, jid: jid?.toString(), affiliation });
    },
    'affiliation-set': async (asked) =>
      managed(asked).setAffiliation(asked.needJid('jid'), asked.needWord('affiliation', AFFILIATIONS), {
        reason: asked.text('reason'),
        nick: asked.text('nick'),
      }),
    'role-set': async (asked) =>
      managed(asked).setRole(asked.need('nick'), asked.needWord('role', ROLES), asked.text('reason')),
    async configuration(asked, item) {
      for (const fields of formItems(await managed(asked).configuration())) item(fields);
    },
    configure: async (asked) => managed(asked).configure(asked.form()),
    'accept-defaults': async (asked) => managed(asked).acceptDefaults(),
    'cancel-creation': async (asked) => managed(asked).cancelCreation(),
    destroy: async (asked) =>
      managed(asked).destroy({
        alternate: asked.jid('alternate'),
        reason: asked.text('reason'),
        password: asked.text('password'),
      }),
  };
}

/** How somebody becomes a member (§7.10). */
function ofRegistration({ client }: Application): Actions {
  const rooms = client.get(muc);
  return {
    async 'room-registration'(asked, item) {
      const state = await rooms.registration(asked.needJid('room')).state();
      if (state.registered) return { registered: 'yes', nick: state.nick };
      for (const fields of formItems(state.form)) item(fields);
      return { registered: 'no' };
    },
    'room-register': async (asked) =>
      rooms.registration(asked.needJid('room')).register(asked.need('nick'), asked.form()),
    'room-unregister': async (asked) => rooms.registration(asked.needJid('room')).cancel(),
  };
}

/** `none`, or how many messages at most; with `since`, those after a time. */
function historyOf(asked: Asked): HistoryRequest | undefined {
  const most = asked.text('history');
  const since = asked.date('since');
  if (most === undefined && since === undefined) return undefined;
  return {
    ...(most === 'none' ? { maxChars: 0 } : {}),
    ...(most === undefined || most === 'none' ? {} : { maxStanzas: Number(most) }),
    ...(since === undefined ? {} : { since }),
  };
}

function parts(message: ReturnType<typeof writeMessage>): {
  readonly body: string;
  readonly payloads: ReturnType<typeof writeMessage>[];
} {
  return {
    body: message.childText('body') ?? '',
    payloads: message.children().filter(({ name }) => name !== 'body'),
  };
}

function roomOf(client: Client, asked: Asked): Room {
  return known(client.get(muc).rooms, asked.needJid('room').toString(), 'room');
}

function known<Value>(values: ReadonlyMap<string, Value>, key: string, what: string): Value {
  const value = values.get(key);
  if (value === undefined) throw new XmppError(`there is no ${what} of ${key}`);
  return value;
}

function keyOf({ jid }: Room, nick: string | undefined): string {
  return `${jid.toString()}/${nick ?? ''}`;
}

function actorOf(actor: Actor | undefined): string | undefined {
  return actor?.nick ?? actor?.jid?.toString();
}

function occupantFields(room: Room, { nick, affiliation, role, realJid, occupantId, show }: Occupant): Fields {
  return {
    room: room.jid.toString(),
    nick,
    affiliation,
    role,
    jid: realJid?.toString(),
    'occupant-id': occupantId,
    show,
  };
}
