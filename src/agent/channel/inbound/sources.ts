/** The only subscriber to the events of the client, the carbons, the rooms, the archives, and the unfinished work of the last run. */
import type { Client, ClientEvents } from '../../../xmpp-core/client.js';
import { muc, type Room } from '../../../xeps/xep-0045-muc/index.js';
import { carbons } from '../../../xeps/xep-0280-message-carbons.js';
import type { Background } from '../../background.js';
import type { Log } from '../../log.js';
import type { PresenceSubscribers } from '../access/presence-subscribers.js';
import type { ConnectionLog } from '../client/connection-log.js';
import { logServerError } from '../client/server-error.js';
import type { Profile } from '../profile/profile.js';
import type { Rooms } from '../rooms/rooms.js';
import type { UnfinishedConversation, UnfinishedWork } from '../turns/unfinished-work.js';
import type { CatchUp } from './catch-up.js';
import type { Inbox } from './inbox.js';

/** Parts that the sources feed. */
export interface SourcesOptions {
  readonly client: Client;
  readonly inbox: Inbox;
  readonly rooms: Rooms;
  readonly catchUp: CatchUp;
  readonly unfinishedWork: UnfinishedWork;
  readonly presenceSubscribers: PresenceSubscribers;
  readonly profile: Profile;
  readonly connectionLog: ConnectionLog;
  readonly background: Background;
  readonly log: Log;
}

/** The sources of one account. */
export class Sources {
  readonly #options: SourcesOptions;

  constructor(options: SourcesOptions) {
    this.#options = options;
  }

  /** Subscribes to everything, for as long as the client lives. To be called before the client is started. */
  listen(): void {
    this.#listenToClient();
    this.#listenToRooms();
  }

  #listenToClient(): void {
    const { client, inbox, connectionLog, background } = this.#options;
    const { events } = client;
    events.on('online', (session) => this.#online(session));
    events.on('suspended', (suspended) => connectionLog.suspended(suspended));
    events.on('offline', (offline) => connectionLog.offline(offline));
    events.on('undelivered', (undelivered) => connectionLog.undelivered(undelivered));
    events.on('error', (failure) => connectionLog.error(failure));
    events.on('message', (message) => background.run('message', () => inbox.direct(message)));
    // The server may deliver a message to the bare JID to another client of the account only (RFC 6121 §8.5.2.1.1).
    client.get(carbons).events.on('received', (message) => {
      if (message.to?.isBare === true) background.run('carbon', () => inbox.direct(message));
    });
  }

  #listenToRooms(): void {
    const { client, inbox, rooms, background } = this.#options;
    const { events } = client.get(muc);
    events.on('joined', ({ room, nick }) => {
      rooms.joined(room, nick);
      background.run('room archive', () => this.#readArchive(room));
    });
    events.on('left', (left) => rooms.left(left));
    events.on('occupantChanged', (change) => rooms.changed(change));
    events.on('joinFailed', ({ room, error }) => rooms.joinFailed(room.jid, error));
    events.on('invited', (invitation) => background.run('invitation', () => rooms.takeInvitation(invitation)));
    events.on('message', (message) => {
      rooms.noteMessage(message);
      background.run('room message', () => inbox.room(message));
    });
    events.on('privateMessage', (message) => background.run('private message', () => inbox.private(message)));
    events.on('moderated', ({ room, id }) => background.run('moderation', () => inbox.moderated(room.jid, id)));
  }

  #online(session: ClientEvents['online']): void {
    const { rooms, unfinishedWork, presenceSubscribers, profile, connectionLog, background } = this.#options;
    connectionLog.online(session);
    presenceSubscribers.online();
    // A resumed session is still in its rooms, and missed nothing.
    if (!session.resumed) {
      rooms.enterAll();
      this.#ask('catch-up', () => this.#catchUp());
      this.#ask('profile', () => profile.publish());
    }
    for (const work of unfinishedWork.take()) background.run('unfinished work', () => this.#resume(work));
  }

  /** Runs work that depends on what the server supports. Its failure is the server's, and the next session tries again. */
  #ask(where: string, work: () => Promise<void>): void {
    const { client, background, log } = this.#options;
    background.run(where, async () => {
      try {
        await work();
      } catch (error) {
        logServerError(log, client, error);
      }
    });
  }

  async #catchUp(): Promise<void> {
    const { catchUp, inbox, rooms } = this.#options;
    for await (const missed of catchUp.missed()) {
      if (missed.kind === 'message') await inbox.direct(missed.message);
      else await rooms.takeInvitation(missed.invitation, missed.at);
    }
  }

  async #readArchive(room: Room): Promise<void> {
    for await (const message of this.#options.rooms.missed(room)) await this.#options.inbox.room(message);
  }

  async #resume(work: UnfinishedConversation): Promise<void> {
    const { unfinishedWork, inbox } = this.#options;
    for await (const unanswered of unfinishedWork.resume(work)) await inbox.resume(unanswered);
  }
}
