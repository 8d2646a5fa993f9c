/** Ends conversations between programs: counts the answers in a row that only programs have asked for. */
import { BoundedMap } from '../../../xmpp-core/bounded-map.js';
import type { Background } from '../../background.js';
import type { Excess } from './limits.js';
import type { Asker, Programs } from './programs.js';

/** Parts of the count. */
export interface BotTurnsOptions {
  /** The most answers in a row. */
  readonly limit: number;
  readonly programs: Pick<Programs, 'isProgram'>;
  readonly background: Background;
  /** The clock, in milliseconds; `Date.now` unless given. */
  readonly now?: () => number;
}

/** The answers of a conversation since a person's last message. */
interface Streak {
  answers: number;
  hasNotice: boolean;
  answeredAt: number | undefined;
}

/** Nobody types faster than 20 characters a second. */
const MS_PER_CHARACTER = 50;
/** Anybody can begin a conversation. The oldest counts are forgotten. */
const MAX_CONVERSATIONS = 10_000;

/** The counts of one account. */
export class BotTurns {
  readonly #options: BotTurnsOptions;
  readonly #streaks = new BoundedMap<string, Streak>(MAX_CONVERSATIONS);

  constructor(options: BotTurnsOptions) {
    this.#options = options;
  }

  /** Whether a message came sooner after the last answer than a person could type it. What was sent before that answer did not. */
  isFast(conversation: string, text: string, at: Date): boolean {
    const answeredAt = this.#streaks.get(conversation)?.answeredAt;
    if (answeredAt === undefined) return false;
    const ms = at.getTime() - answeredAt;
    return ms >= 0 && ms < text.length * MS_PER_CHARACTER;
  }

  /** Notes that an answer was sent. */
  answered(conversation: string): void {
    const { now = Date.now } = this.#options;
    this.#streak(conversation).answeredAt = now();
  }

  /** A message that is no question: a person's starts the count again. */
  received(conversation: string, sender: Asker): void {
    if ((this.#streaks.get(conversation)?.answers ?? 0) > 0) this.#checkLater(conversation, [sender]);
  }

  /**
   * Counts a turn. Only where the limit is reached does it wait for the senders' clients, so that people wait for nothing.
   * @param askers who sent its questions; `undefined` is a person
   * @returns why it is refused; `undefined` when it is within the limit
   */
  async begins(conversation: string, askers: readonly (Asker | undefined)[]): Promise<Excess | undefined> {
    const { limit } = this.#options;
    if (limit === Infinity) return undefined;
    const streak = this.#streak(conversation);
    if (streak.answers < limit) {
      streak.answers += 1;
      this.#checkLater(conversation, askers);
      return undefined;
    }
    if (await this.#hasPerson(askers)) {
      this.#startAgain(conversation);
      return undefined;
    }
    const notice = `I have answered programs ${limit} times in a row here. I will go on when a person writes.`;
    const excess = { why: 'over limits.bot_turns', notice: streak.hasNotice ? undefined : notice };
    streak.hasNotice = true;
    return excess;
  }

  #checkLater(conversation: string, senders: readonly (Asker | undefined)[]): void {
    this.#options.background.run('service discovery of a sender', async () => {
      if (await this.#hasPerson(senders)) this.#startAgain(conversation);
    });
  }

  async #hasPerson(senders: readonly (Asker | undefined)[]): Promise<boolean> {
    const { programs } = this.#options;
    const arePrograms = await Promise.all(
      senders.map(async (sender) => sender !== undefined && (await programs.isProgram(sender))),
    );
    return arePrograms.includes(false);
  }

  #startAgain(conversation: string): void {
    const streak = this.#streak(conversation);
    streak.answers = 0;
    streak.hasNotice = false;
  }

  #streak(conversation: string): Streak {
    const known = this.#streaks.use(conversation);
    if (known !== undefined) return known;
    const streak = { answers: 0, hasNotice: false, answeredAt: undefined };
    this.#streaks.set(conversation, streak);
    return streak;
  }
}
