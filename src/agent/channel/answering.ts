/** One turn: the questions that wait in a conversation are put to the model, and its answer is written down, then delivered. */
import { newId } from '../../xmpp-core/stanza/ids.js';
import type { Client } from '../../xmpp-core/client.js';
import { muc } from '../../xeps/xep-0045-muc/index.js';
import { roomConfig, type AccountConfig } from '../config/config.js';
import type { Conversation, ConversationStore, Undelivered } from '../conversation/history.js';
import { TurnAborted, type Turn } from '../conversation/queue.js';
import { errorText, type Log } from '../log.js';
import { withPictures } from '../media/pictures.js';
import type { MediaStore } from '../media/store.js';
import { ModelError, type Model, type ModelUsage } from '../model/model.js';
import { estimateUsage } from '../model/tokens.js';
import { outletOf, type Outlet } from './outlet.js';
import type { Place } from './place.js';
import { ReplyWriter } from './reply-writer.js';
import { systemPrompt } from './system-prompt.js';
import type { Question } from './tasks.js';

export interface AnsweringOptions {
  readonly account: AccountConfig;
  readonly client: Client;
  readonly store: ConversationStore;
  /** Has the pictures that people sent. */
  readonly media: Pick<MediaStore, 'load'>;
  /** The model of a provider by their names. */
  readonly modelOf: (provider: string, model: string) => Model;
  /** Resolves when something can be said at the place; rejects with the signal's reason. */
  readonly opened: (place: Place, signal: AbortSignal) => Promise<void>;
  /** Aborted when the bot stops; what is not delivered by then is owed. */
  readonly stopping: AbortSignal;
  /** Takes work that goes on after its turn; its failure is told to the log. */
  readonly later: (work: Promise<void>) => void;
  /** Told what an answer cost. */
  readonly spent: (payer: string, usage: ModelUsage) => void;
  readonly log: Log;
}

/** Clients forget that somebody is composing after a while. */
const COMPOSING_AGAIN_MS = 20_000;
/** From then on people wonder whether their question was seen. */
const SLOW_MS = 3_000;
const SEEN = '👀';
const DONE = '✅';
const FAILED = '⚠️';
/** Stands above an answer that people may have read already: it was being sent when the bot was killed. */
const PERHAPS_AGAIN = '(I was interrupted while I sent this. You may have it already.)\n\n';
/** A room is told of a failing model at most so often. */
const ROOM_FAILURE_MS = 60_000;

export class Answering {
  readonly #options: AnsweringOptions;
  readonly #failureToldAt = new Map<string, number>();

  constructor(options: AnsweringOptions) {
    this.#options = options;
  }

  /** Answers a turn. Rejects only when it was aborted because the bot stops: then everything owed is still written down. */
  async run(turn: Turn<Question>): Promise<void> {
    const { store, client } = this.#options;
    // A turn has at least one question; the answer goes where the last one came from.
    const place = turn.items.at(-1)?.place;
    if (place === undefined) return;
    const conversation = await store.conversation(turn.conversation);
    const outlet = outletOf(client, place);
    const signs = this.#showSigns(outlet, place);
    try {
      await this.#answer(turn, conversation, place, outlet);
      signs.end(DONE);
    } catch (error) {
      signs.end(error instanceof TurnAborted ? undefined : FAILED);
      throw error;
    }
  }

  /** Sends an answer that was written down before a restart or a lost connection. */
  async deliver(conversation: Conversation, answer: Undelivered, place: Place, signal: AbortSignal): Promise<void> {
    const { account, client } = this.#options;
    const writer = new ReplyWriter(outletOf(client, place), { chunkLimit: account.textChunkLimit, live: false });
    writer.push(answer.begun ? PERHAPS_AGAIN + answer.text : answer.text);
    await this.#send(conversation, answer.id, place, writer, signal);
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
    const sentence = known ? error.publicText : 'Something went wrong on my side; my operator has to look into it.';
    log('error', 'error', {
      kind: known ? 'model' : 'internal',
      conversation: turn.conversation,
      message: errorText(error),
      reference,
    });
    await conversation.fail(keys, sentence);
    // What takes the model away often takes the server away as well; people are told when they can be.
    await opened(place, turn.signal);
    if (this.#mayTellOfFailure(place)) outletOf(client, place).remark(`${sentence} (${reference})`);
  }

  async #answer(turn: Turn<Question>, conversation: Conversation, place: Place, outlet: Outlet): Promise<void> {
    const { account, spent, log, stopping, later } = this.#options;
    const startedAt = performance.now();
    const keys = turn.items.map(({ key }) => key);
    const payer = turn.items.at(-1)?.payer ?? turn.conversation;
    const isLive = account.streamEdits === 'always' || (account.streamEdits === 'dm' && place.kind !== 'room');
    const writer = new ReplyWriter(outlet, { chunkLimit: account.textChunkLimit, live: isLive });
    try {
      const { text, model, usage } = await this.#ask(conversation, place, keys, turn.signal, writer, payer);
      const id = newId();
      // Written down before it is sent: what was paid for is not lost with a connection or a process.
      await conversation.answer(keys, { id, text, model, usage });
      spent(payer, usage);
      const { promptTokens, completionTokens } = usage;
      const ms = Math.round(performance.now() - startedAt);
      log('info', 'turn', { conversation: turn.conversation, ms, promptTokens, completionTokens, model });
      const sent = this.#send(conversation, id, place, writer, stopping);
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
    const { opened } = this.#options;
    await opened(place, signal);
    await conversation.sending(answerId);
    // The way may have closed while that was written down.
    await opened(place, signal);
    writer.finish();
    await conversation.delivered(answerId);
  }

  async #ask(
    conversation: Conversation,
    place: Place,
    keys: readonly string[],
    signal: AbortSignal,
    writer: ReplyWriter,
    payer: string,
  ): Promise<{ text: string; model: string; usage: ModelUsage }> {
    const { account, modelOf, spent, media, log } = this.#options;
    const room = place.kind === 'room' ? roomConfig(account, place.to) : undefined;
    const voice = room ?? account;
    const prompt = conversation.prompt({
      systemPrompt: systemPrompt({
        nick: this.#nickAt(place),
        room: room?.jid.toString(),
        configured: voice.systemPrompt,
      }),
      budgetTokens: account.limits.historyTokens,
      room: room !== undefined,
      keys,
    });
    const messages = await withPictures(prompt, media);
    let text = '';
    try {
      for await (const event of modelOf(voice.modelProvider, voice.model).answer({ messages, signal })) {
        if (event.type === 'text') {
          text += event.text;
          writer.push(event.text);
          continue;
        }
        if (event.insteadOf !== undefined) log('warn', 'error', { kind: 'model', message: event.insteadOf.message });
        return { text, model: event.model, usage: event.usage };
      }
    } catch (error) {
      // An answer that was begun or stopped costs as well, or whoever says /stop in time would talk for nothing.
      if (text !== '' || signal.aborted) spent(payer, estimateUsage(messages, text));
      throw error;
    }
    throw new Error('the model ended its answer without saying so');
  }

  /** What the bot is called there: rooms may know it by another nick than the one it wished for. */
  #nickAt(place: Place): string {
    const { account, client } = this.#options;
    if (place.kind === 'direct') return account.nick;
    return client.get(muc).rooms.get(place.to.bare.toString())?.nick ?? account.nick;
  }

  /** The signs of being at work; they end with the turn, however it ends. */
  #showSigns(outlet: Outlet, place: Place): { end(mark: string | undefined): void } {
    const { reactions } = this.#options.account;
    let marked = false;
    outlet.state('composing');
    const again = setInterval(() => outlet.state('composing'), COMPOSING_AGAIN_MS);
    const slow = setTimeout(() => {
      marked = reactions && place.kind !== 'private';
      if (marked) outlet.mark([SEEN]);
    }, SLOW_MS);
    return {
      end(mark) {
        clearInterval(again);
        clearTimeout(slow);
        if (marked) outlet.mark(mark === undefined ? [] : [mark]);
        outlet.state('active');
      },
    };
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
