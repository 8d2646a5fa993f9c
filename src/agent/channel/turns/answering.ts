/** Answers the questions of one turn: asks the model, writes the answer to disk, and sends it. */
import { newId } from '../../../xmpp-core/stanza/ids.js';
import type { Client } from '../../../xmpp-core/client.js';
import { muc } from '../../../xeps/xep-0045-muc/index.js';
import type { Background } from '../../background.js';
import { roomConfig, type AccountConfig } from '../../config/config.js';
import type { Conversation, ConversationStore, ModelChoice, UndeliveredAnswer } from '../../conversation/history.js';
import { TurnAborted, type Turn } from '../../conversation/queue.js';
import { errorText, type Log } from '../../log.js';
import { withPictures } from '../../media/pictures.js';
import type { MediaStore } from '../../media/store.js';
import { ModelError, type Model } from '../../model/model.js';
import type { SkillLoader } from '../../skills/skill-loader.js';
import { answerWithTools, fullText, type LoopResult, type LoopReport } from '../../tools/loop.js';
import { availableTools } from '../../tools/available-tools.js';
import { react } from '../../tools/react.js';
import type { BotTurns } from '../access/bot-turns.js';
import type { Limits } from '../access/limits.js';
import { replyChannelTo, type ReplyChannel } from '../outbound/reply-channel.js';
import { ReplyWriter } from '../outbound/reply-writer.js';
import type { Place } from '../places/place.js';
import type { Reachability } from '../rooms/reachability.js';
import { selectModel } from './model-choice.js';
import { ProgressIndicator } from './progress.js';
import { systemPrompt } from './system-prompt.js';
import type { Question } from './tasks.js';
import { markOf, turnTools } from './turn-tools.js';

/** Parts of the answering. */
export interface AnsweringOptions {
  readonly account: AccountConfig;
  readonly client: Client;
  readonly store: ConversationStore;
  /** The pictures that people sent. */
  readonly media: Pick<MediaStore, 'load'>;
  /** The model of a provider by their names. */
  readonly modelOf: (provider: string, model: string) => Model;
  readonly skills: SkillLoader;
  /** The models that can be chosen. */
  readonly models: readonly ModelChoice[];
  readonly reachability: Reachability;
  readonly limits: Limits;
  readonly botTurns: BotTurns;
  readonly background: Background;
  /** Aborted when the bot stops; an answer that is not sent by then is sent after the next start. */
  readonly stopping: AbortSignal;
  readonly log: Log;
}

const DONE = '✅';
const FAILED = '⚠️';
/** Precedes an answer that people may have read already: it was being sent when the bot was killed. */
const PERHAPS_AGAIN = '(I was interrupted while sending this. You may have it already.)\n\n';
/** The shortest time between two failure notices in a room. */
const ROOM_FAILURE_MS = 60_000;

/** The conversation and place of a turn, with its channel and progress. */
interface TurnScope {
  readonly conversation: Conversation;
  readonly place: Place;
  readonly channel: ReplyChannel;
  readonly progress: ProgressIndicator;
}

/** The answers of one account. */
export class Answering {
  readonly #options: AnsweringOptions;
  readonly #failureNoticeAt = new Map<string, number>();

  constructor(options: AnsweringOptions) {
    this.#options = options;
  }

  /** Answers a turn. Rejects when the model fails or the turn is aborted; the questions are then still open on disk. */
  async run(turn: Turn<Question>): Promise<void> {
    const { account, store, client, reachability, background } = this.#options;
    // A turn has at least one question; the answer goes where the last one came from.
    const place = turn.items.at(-1)?.place;
    if (place === undefined) return;
    const conversation = await store.conversation(turn.conversation);
    const channel = replyChannelTo(client, place, account);
    const progress = new ProgressIndicator(channel, place, account.reactions && place.kind !== 'private');
    try {
      await this.#answer(turn, { conversation, place, channel, progress });
    } catch (error) {
      const mark = error instanceof TurnAborted ? undefined : FAILED;
      if (channel.open) progress.end(mark);
      else
        background.run('end of turn', async () => {
          await reachability.opened(place);
          progress.end(mark);
        });
      throw error;
    } finally {
      progress.rest();
    }
  }

  /**
   * Sends an answer that was written to disk before a restart.
   * @param sent the texts that were sent already, by the ids of their messages; `undefined` when that is not known
   */
  async deliver(
    conversation: Conversation,
    answer: UndeliveredAnswer,
    place: Place,
    sent: ReadonlyMap<string, string> | undefined,
  ): Promise<void> {
    const { account, client, stopping, background } = this.#options;
    const words = fullText(answer);
    const writer = new ReplyWriter(replyChannelTo(client, place, account), {
      chunkLimit: account.textChunkLimit,
      live: false,
      background,
      // Clients drop a second message with the same id, so a repeated answer needs new ones.
      ...(sent === undefined ? { id: newId() } : { id: answer.id, sent }),
    });
    writer.push(sent === undefined && words !== '' ? PERHAPS_AGAIN + words : words);
    await this.#send(conversation, answer.id, place, writer, stopping);
    // The model's own reaction to the question stays.
    const hasReaction =
      answer.steps?.some(({ calls }) => calls.some(({ name }) => name === react.definition.name)) === true;
    if (!hasReaction) await this.unmark(place);
  }

  /** Removes the mark of a slow question that a killed process left behind. */
  async unmark(place: Place): Promise<void> {
    const { account, client, reachability } = this.#options;
    if (!account.reactions || place.kind === 'private') return;
    await reachability.opened(place);
    replyChannelTo(client, place).setReactions([]);
  }

  /** Reports a failed turn to the log, and to its room or person. */
  async failed(error: unknown, turn: Turn<Question>): Promise<void> {
    const { store, log, client, reachability } = this.#options;
    const place = turn.items.at(-1)?.place;
    // When the bot stops, the questions stay open and are answered after the next start. `/stop` has settled its questions already.
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
    // The server is often unreachable when the model is. The notice waits for it.
    await reachability.opened(place, turn.signal);
    if (this.#isNoticeDue(place)) replyChannelTo(client, place).notify(`${sentence} (${reference})`);
  }

  async #answer(turn: Turn<Question>, scene: TurnScope): Promise<void> {
    const { account, log, stopping, background } = this.#options;
    const { conversation, place, channel, progress } = scene;
    const startedAt = performance.now();
    const keys = turn.items.map(({ key }) => key);
    const isLive = account.streamEdits === 'always' || (account.streamEdits === 'dm' && place.kind !== 'room');
    const id = newId();
    const writer = new ReplyWriter(channel, { id, chunkLimit: account.textChunkLimit, live: isLive, background });
    try {
      const { text, steps, model, usage } = await this.#ask(turn, scene, writer);
      turn.signal.throwIfAborted();
      // On disk before it is sent: an answer that was paid for survives the connection and the process.
      await conversation.addAnswer(keys, { id, text, steps, model, usage, begun: writer.hasShown });
      const { promptTokens, completionTokens } = usage;
      const ms = Math.round(performance.now() - startedAt);
      log('info', 'turn', { conversation: turn.conversation, ms, promptTokens, completionTokens, model });
      const send = async (): Promise<void> => {
        await this.#send(conversation, id, place, writer, stopping);
        progress.end(DONE);
      };
      // A place can be unreachable for long. The turns of other conversations must not wait for it.
      if (channel.open) await send();
      else background.run('answer', send);
    } catch (error) {
      // A partial answer that people have seen gets a visible end.
      if (channel.open) writer.cancel();
      throw error;
    }
  }

  /** Sends the answer, with a record on disk before and after: a crash in between leaves it in doubt. */
  async #send(
    conversation: Conversation,
    answerId: string,
    place: Place,
    writer: ReplyWriter,
    signal: AbortSignal,
  ): Promise<void> {
    const { reachability, botTurns } = this.#options;
    await reachability.opened(place, signal);
    await writer.complete(signal);
    if (!writer.hasShown) await conversation.markSending(answerId);
    // The place may have become unreachable during the write.
    await reachability.opened(place, signal);
    // An answer that may not be delivered is settled without being sent.
    if (reachability.isDeliverable(place)) writer.finish();
    botTurns.answered(conversation.id);
    await conversation.markDelivered(answerId);
  }

  /** Sends the questions of a turn to the model, with the tools that are useful at the place. */
  async #ask(turn: Turn<Question>, scene: TurnScope, writer: ReplyWriter): Promise<LoopResult> {
    const { account, client, media, modelOf, models, limits, reachability } = this.#options;
    const { conversation, place } = scene;
    const { signal, answerStarted: begins } = turn;
    const inRoom = place.kind === 'room';
    const settings = inRoom ? roomConfig(account, place.to) : account;
    const skills = this.#options.skills.load(settings.skills);
    const mayReact = account.reactions && place.kind !== 'private';
    const tools = availableTools(settings.tools, { inRoom, canReact: mayReact, hasSkills: skills.length > 0 });
    const prompt = conversation.prompt({
      systemPrompt: systemPrompt({
        nick: this.#nickAt(place),
        room: inRoom ? place.to.bare.toString() : undefined,
        configured: settings.systemPrompt,
        tools,
        skills,
      }),
      budgetTokens: account.limits.historyTokens,
      isRoom: inRoom,
      keys: turn.items.map(({ key }) => key),
      ...(tools.has('react') && { markOf }),
    });
    const payer = turn.items.at(-1)?.payer ?? turn.conversation;
    const choice = selectModel(settings, conversation.model, models);
    return answerWithTools({
      model: modelOf(choice.provider, choice.model),
      messages: await withPictures(prompt, media),
      tools,
      context: turnTools({
        ...scene,
        client,
        skills,
        opened: async (to, ending) => {
          // People are about to see a part of the answer.
          begins();
          await reachability.opened(to, ending);
        },
      }),
      signal,
      onText: (words) => {
        begins();
        writer.push(words);
      },
      onRestart: (before) => {
        writer.restart();
        writer.push(before);
      },
      onUsage: ({ promptTokens, completionTokens }) => limits.addUsage(payer, promptTokens + completionTokens),
      onReport: (report) => this.#report(report, turn.conversation),
    });
  }

  #report(report: LoopReport, conversation: string): void {
    const { log } = this.#options;
    if (report.what === 'trouble') log('warn', 'error', { kind: report.kind, conversation, message: report.message });
    else log('debug', 'tool', { conversation, tool: report.tool, ms: report.ms, failed: report.failed });
  }

  /** The bot's nick at a place. A room may have assigned another one than the configured. */
  #nickAt(place: Place): string {
    const { account, client } = this.#options;
    if (place.kind === 'direct') return account.nick;
    return client.get(muc).rooms.get(place.to.bare.toString())?.nick ?? account.nick;
  }

  /** Whether a room or person may get another failure notice now. */
  #isNoticeDue(place: Place): boolean {
    if (place.kind !== 'room') return true;
    const room = place.to.toString();
    const now = performance.now();
    const lastAt = this.#failureNoticeAt.get(room);
    if (lastAt !== undefined && now - lastAt < ROOM_FAILURE_MS) return false;
    this.#failureNoticeAt.set(room, now);
    return true;
  }
}
