/** The parts of an account, in the order in which they are built. */
import type { Storage } from '../../xmpp-core/storage.js';
import { Background } from '../background.js';
import type { AccountConfig, Config } from '../config/config.js';
import type { ConversationStore } from '../conversation/history.js';
import { TurnQueue } from '../conversation/queue.js';
import { withFields, type Log } from '../log.js';
import { MediaFetcher } from '../media/fetcher.js';
import type { MediaStore } from '../media/store.js';
import type { Model } from '../model/model.js';
import { SkillLoader } from '../skills/skill-loader.js';
import { Admission } from './access/admission.js';
import { BotTurns } from './access/bot-turns.js';
import { ContactRequests } from './access/contact-requests.js';
import { Denials } from './access/denials.js';
import { Limits } from './access/limits.js';
import { Programs } from './access/programs.js';
import { PresenceSubscribers } from './access/presence-subscribers.js';
import { StrangerBook } from './access/stranger-book.js';
import { TokenLedger } from './access/token-ledger.js';
import { accountClient } from './client/account-client.js';
import { ConnectionLog } from './client/connection-log.js';
import { offerAdHocCommands } from './commands/ad-hoc-commands.js';
import { CommandDesk } from './commands/command-desk.js';
import { CatchUp } from './inbound/catch-up.js';
import { Inbox } from './inbound/inbox.js';
import { Sources } from './inbound/sources.js';
import { uploadOriginOf } from './inbound/upload-origin.js';
import { Profile } from './profile/profile.js';
import { Reachability } from './rooms/reachability.js';
import { Rooms } from './rooms/rooms.js';
import { Answering } from './turns/answering.js';
import { modelChoices } from './turns/model-choice.js';
import type { Task } from './turns/tasks.js';
import { TurnRunner } from './turns/turn-runner.js';
import { UnfinishedWork } from './turns/unfinished-work.js';

/** What an account is made of. */
export interface AccountOptions {
  readonly config: AccountConfig;
  readonly store: ConversationStore;
  readonly storage: Storage;
  /** Keeps the pictures that people send. */
  readonly media: MediaStore;
  readonly modelOf: (provider: string, model: string) => Model;
  /** By name; their models can be chosen. */
  readonly providers: Config['providers'];
  /** Folders of skills. */
  readonly skillPaths: Config['skillPaths'];
  readonly log: Log;
  /** How long to stay away from a room after a kick or a failure, in milliseconds; a minute unless given. */
  readonly rejoinMs?: number;
}

const REJOIN_MS = 60_000;

/** Builds the parts from the bottom up: each one gets only parts that are finished. @param stopping aborted when the account stops */
export function accountParts(
  { config: account, log: botLog, rejoinMs = REJOIN_MS, ...options }: AccountOptions,
  stopping: AbortSignal,
) {
  const { store, storage, media, modelOf, providers, skillPaths } = options;
  const log = withFields(botLog, { account: account.name });
  const background = new Background(log, stopping);

  // Who is answered.
  const denials = new Denials(log);
  const ledger = new TokenLedger({ storage, account: account.jid.toString(), background });
  const limits = new Limits(account.limits, ledger);
  const book = new StrangerBook(storage, account.jid.toString());
  const admission = new Admission({ account, book, limits, denials });

  const client = accountClient(account, storage, (requester) => admission.presence(requester).allowed);
  const botTurns = new BotTurns({ limit: account.limits.botTurns, programs: new Programs(client), background });
  const shared = { account, client, store, storage, admission, denials, limits, botTurns, background, stopping, log };

  // What sends.
  const profile = new Profile({ account, client, storage });
  const presenceSubscribers = new PresenceSubscribers(shared);
  const contactRequests = new ContactRequests({ account, client, book, presenceSubscribers });
  const rooms = new Rooms({ ...shared, rejoinMs });
  const reachability = new Reachability({ ...shared, rooms });
  const models = modelChoices(account, providers);
  const skills = new SkillLoader(skillPaths, log);
  const answering = new Answering({ ...shared, media, modelOf, models, skills, reachability });
  const runner = new TurnRunner({ ...shared, rooms, reachability, answering });
  const queue = new TurnQueue<Task>({
    run: (turn) => runner.run(turn),
    onError: (error, turn) => runner.failed(error, turn),
  });
  const unfinishedWork = new UnfinishedWork({ ...shared, rooms, reachability, answering });
  const people = { contactRequests, rooms };
  const commands = new CommandDesk({ ...shared, ...people, queue, modelOf, models, skills, reachability });
  offerAdHocCommands({ ...shared, rooms, queue, commands });

  // What comes in.
  const files = new MediaFetcher({ account, store: media, uploadOrigin: uploadOriginOf(client), log });
  const inbox = new Inbox({ ...shared, ...people, queue, commands, files });
  const catchUp = new CatchUp({ ...shared, rooms });
  const connectionLog = new ConnectionLog(account, log);
  const fed = { inbox, rooms, catchUp, unfinishedWork, presenceSubscribers, profile, connectionLog };
  const sources = new Sources({ ...shared, ...fed });

  return {
    client,
    background,
    book,
    ledger,
    rooms,
    presenceSubscribers,
    profile,
    queue,
    unfinishedWork,
    inbox,
    sources,
  };
}
