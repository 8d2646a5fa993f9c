/** One turn: the questions that wait in a conversation are put to the model, and its answer is written down, then delivered. */
import { newId } from '../../../xmpp-core/stanza/ids.js';
import type { Client } from '../../../xmpp-core/client.js';
import { muc } from '../../../xeps/xep-0045-muc/index.js';
import { roomConfig, type AccountConfig } from '../../config/config.js';
import type { Conversation, ConversationStore, ModelChoice, Undelivered } from '../../conversation/history.js';
import { TurnAborted, type Turn } from '../../conversation/queue.js';
import { errorText, type Log } from '../../log.js';
import { withPictures } from '../../media/pictures.js';
import type { MediaStore } from '../../media/store.js';
import { ModelError, type Model, type ModelUsage } from '../../model/model.js';
import type { SkillShelf } from '../../skills/skill-shelf.js';
import { answerWithTools, wordsOf, type Outcome, type Report } from '../../tools/loop.js';
import { offeredTools } from '../../tools/offer.js';
import { react } from '../../tools/react.js';
import { modelAsked } from './model-choice.js';
import { replyChannelTo, type ReplyChannel } from '../outbound/reply-channel.js';
import type { Place } from '../places/place.js';
import { ReplyWriter } from '../outbound/reply-writer.js';
import { ProgressIndicator } from './progress.js';
import { systemPrompt } from './system-prompt.js';
import type { Question } from './tasks.js';
import { markOf, turnTools } from './turn-tools.js';

export interface AnsweringOptions {
  readonly account: AccountConfig;
  readonly client: Client;
  readonly store: ConversationStore;
  /** Has the pictures that people sent. */
  readonly media: Pick<MediaStore, 'load'>;
  /** The model of a provider by their names. */
  readonly modelOf: (provider: string, model: string) => Model;
  readonly skills: SkillShelf;
  /** The models that can be chosen. */
  readonly models: readonly ModelChoice[];
  /** Resolves when something can be said at the place, or never will be; rejects with the signal's reason. */
  readonly opened: (place: Place, signal: AbortSignal) => Promise<void>;
  /** Whether there still is a way to the place, and who something is owed to is the one there; tells the log when not. */
  readonly isStillThere: (place: Place) => boolean;
  /** Aborted when the bot stops; what is not delivered by then is owed. */
  readonly stopping: AbortSignal;
  /** Takes work that goes on after its turn; its failure is told to the log. */
  readonly later: (work: Promise<void>) => void;
  /** Told what an answer cost. */
  readonly spent: (payer: string, usage: ModelUsage) => void;
  readonly log: Log;
}

const DONE = '✅';
const FAILED = '⚠️';
/** Stands above an answer that people may have read already: it was being sent when the bot was killed. */
const PERHAPS_AGAIN = '(I was interrupted while sending this. You may have it already.)\n\n';
/** A room is told of a failing model at most so often. */
const ROOM_FAILURE_MS = 60_000;

/** Where a turn takes place. */
interface Scene {
  readonly conversation: Conversation;
  readonly place: Place;
  readonly outlet: ReplyChannel;
  readonly signs: ProgressIndicator;
}

export class Answering {
  readonly #options: AnsweringOptions;
  readonly #failureToldAt = new Map<string, number>();

  constructor(options: AnsweringOptions) {
    this.#options = options;
  }

  /** Answers a turn. Rejects only when it was aborted because the bot stops: then everything owed is still written down. */
  async run(turn: Turn<Question>): Promise<void> {
    const { account, store, client, opened, stopping, later } = this.#options;
    // A turn has at least one question; the answer goes where the last one came from.
    const place = turn.items.at(-1)?.place;
    if (place === undefined) return;
    const conversation = await store.conversation(turn.conversation);
    const outlet = replyChannelTo(client, place, account);
    const signs = new ProgressIndicator(outlet, place, account.reactions && place.kind !== 'private');
    try {
      await this.#answer(turn, { conversation, place, outlet, signs });
    } catch (error) {
      const mark = error instanceof TurnAborted ? undefined : FAILED;
      if (outlet.open) signs.end(mark);
      else later(opened(place, stopping).then(() => signs.end(mark)));
      throw error;
    } finally {
      signs.rest();
    }
  }

  /**
   * Sends an answer that was written down before a restart.
   * @param sent what people have of it already, by the ids of its messages; `undefined` when nobody can tell
   */
  async deliver(
    conversation: Conversation,
    answer: Undelivered,
    place: Place,
    sent: ReadonlyMap<string, string> | undefined,
  ): Promise<void> {
    const { account, client, stopping } = this.#options;
    const words = wordsOf(answer);
    const writer = new ReplyWriter(replyChannelTo(client, place, account), {
      chunkLimit: account.textChunkLimit,
      live: false,
      // What may come twice must not be taken for the same message, which clients pass over.
      ...(sent === undefined ? { id: newId() } : { id: answer.id, sent }),
    });
    writer.push(sent === undefined && words !== '' ? PERHAPS_AGAIN + words : words);
    await this.#send(conversation, answer.id, place, writer, stopping);
    // What the model thinks of the question stays.
    const hasOpinion =
      answer.steps?.some(({ calls }) => calls.some(({ name }) => name === react.definition.name)) === true;
    if (!hasOpinion) await this.unmark(place);
  }

  /** Takes the mark of a slow question back that the process, when it was killed, could not take back any more. */
  async unmark(place: Place): Promise<void> {
    const { account, client, opened, stopping } = this.#options;
    if (!account.reactions || place.kind === 'private') return;
    await opened(place, stopping);
    replyChannelTo(client, place).mark([]);
  }

  /** Tells people, and the log, why a turn came to nothing. For the queue. */
  async failed(error: unknown, turn: Turn<Question>): Promise<void> {
    const { store, log, client, opened } = this.#options;
    const place = turn.items.at(-1)?.place;
    // When the bot stops, the questions stay open and are answered after the next start; what `/stop` ended is settled already.
    if (place === undefined || error instanceof TurnAborted) return;
    const keys = turn.items.map(({ key }) => key);
    const conversation = await store.conversation(turn.conversation);
    const reference = newId().slice(0, 6);
    const known = error instanceof ModelError;
    const sentence = known ? error.publicText : 'Something went wrong on my side; my operator needs to look into it.';
    log('error', 'error', {
      kind: known ? 'model' : 'internal',
      conversation: turn.conversation,
      message: errorText(error),
      reference,
    });
    await conversation.fail(keys, sentence);
    // What takes the model away often takes the server away as well; people are told when they can be.
    await opened(place, turn.signal);
    if (this.#mayTellOfFailure(place)) replyChannelTo(client, place).remark(`${sentence} (${reference})`);
  }

  async #answer(turn: Turn<Question>, scene: Scene): Promise<void> {
    const { account, log, stopping, later } = this.#options;
    const { conversation, place, outlet, signs } = scene;
    const startedAt = performance.now();
    const keys = turn.items.map(({ key }) => key);
    const isLive = account.streamEdits === 'always' || (account.streamEdits === 'dm' && place.kind !== 'room');
    const id = newId();
    const writer = new ReplyWriter(outlet, { id, chunkLimit: account.textChunkLimit, live: isLive });
    try {
      const { text, steps, model, usage } = await this.#ask(turn, scene, (words) => writer.push(words));
      turn.signal.throwIfAborted();
      // Written down before it is sent: what was paid for is not lost with a connection or a process.
      await conversation.answer(keys, { id, text, steps, model, usage, begun: writer.hasShown });
      const { promptTokens, completionTokens } = usage;
      const ms = Math.round(performance.now() - startedAt);
      log('info', 'turn', { conversation: turn.conversation, ms, promptTokens, completionTokens, model });
      const sent = this.#send(conversation, id, place, writer, stopping).then(() => signs.end(DONE));
      // A way that is closed may stay so for long, and the turns of others must not wait for it.
      if (outlet.open) await sent;
      else later(sent);
    } catch (error) {
      // What people have already seen of it is brought to an end that they can see, too.
      if (outlet.open) writer.breakOff();
      throw error;
    }
  }

  /** Sends what the writer holds, and has it written down before and after: a crash in between leaves the answer in doubt. */
  async #send(
    conversation: Conversation,
    answerId: string,
    place: Place,
    writer: ReplyWriter,
    signal: AbortSignal,
  ): Promise<void> {
    const { opened, isStillThere } = this.#options;
    await opened(place, signal);
    await writer.complete(signal);
    if (!writer.hasShown) await conversation.sending(answerId);
    // The way may have closed while that was written down.
    await opened(place, signal);
    // Nobody else gets it: then it is settled without being sent.
    if (isStillThere(place)) writer.finish();
    await conversation.delivered(answerId);
  }

  /** Puts the questions of a turn to the model, with the tools that are of use at the place. */
  async #ask(turn: Turn<Question>, scene: Scene, write: (text: string) => void): Promise<Outcome> {
    const { account, client, media, modelOf, models, spent, opened } = this.#options;
    const { conversation, place } = scene;
    const { signal, begins } = turn;
    const inRoom = place.kind === 'room';
    const voice = inRoom ? roomConfig(account, place.to) : account;
    const skills = this.#options.skills.named(voice.skills);
    const mayReact = account.reactions && place.kind !== 'private';
    const tools = offeredTools(voice.tools, { inRoom, mayReact, hasSkills: skills.length > 0 });
    const prompt = conversation.prompt({
      systemPrompt: systemPrompt({
        nick: this.#nickAt(place),
        room: inRoom ? place.to.bare.toString() : undefined,
        configured: voice.systemPrompt,
        tools,
        skills,
      }),
      budgetTokens: account.limits.historyTokens,
      room: inRoom,
      keys: turn.items.map(({ key }) => key),
      ...(tools.has('react') && { markOf }),
    });
    const payer = turn.items.at(-1)?.payer ?? turn.conversation;
    const choice = modelAsked(voice, conversation.model, models);
    return answerWithTools({
      model: modelOf(choice.provider, choice.model),
      messages: await withPictures(prompt, media),
      tools,
      context: turnTools({
        ...scene,
        client,
        skills,
        opened: async (to, ending) => {
          // From here on people see something of the answer.
          begins();
          await opened(to, ending);
        },
      }),
      signal,
      write: (words) => {
        begins();
        write(words);
      },
      spent: (usage) => spent(payer, usage),
      report: (report) => this.#report(report, turn.conversation),
    });
  }

  #report(report: Report, conversation: string): void {
    const { log } = this.#options;
    if (report.what === 'trouble') log('warn', 'error', { kind: report.kind, conversation, message: report.message });
    else log('debug', 'tool', { conversation, tool: report.tool, ms: report.ms, failed: report.failed });
  }

  /** What the bot is called there: rooms may know it by another nick than the one it wished for. */
  #nickAt(place: Place): string {
    const { account, client } = this.#options;
    if (place.kind === 'direct') return account.nick;
    return client.get(muc).rooms.get(place.to.bare.toString())?.nick ?? account.nick;
  }

  #mayTellOfFailure(place: Place): boolean {
    if (place.kind !== 'room') return true;
    const room = place.to.toString();
    const now = performance.now();
    const toldAt = this.#failureToldAt.get(room);
    if (toldAt !== undefined && now - toldAt < ROOM_FAILURE_MS) return false;
    this.#failureToldAt.set(room, now);
    return true;
  }
}
