/** The last processed message of each archive, stored across restarts. */
import type { Jid } from '../../xmpp-core/jid/jid.js';
import type { Storage } from '../../xmpp-core/storage.js';

/** The last message of an archive that was processed. */
export interface Mark {
  /** `undefined` if the archive was empty. */
  readonly id: string | undefined;
  /** The archive's timestamp, or our own clock. Used if the archive no longer has a message of that id. */
  readonly at: Date;
}

/** In characters. A longer id is not stored; catching up then goes by time. */
const MAX_ID_LENGTH = 500;

/**
 * The high-water mark of one archive. Live messages move it only after all earlier ones were fetched; otherwise missed messages would be
 * skipped.
 */
export class ArchiveMark {
  readonly #storage: Storage;
  readonly #key: string;
  readonly #background: (work: () => unknown) => void;
  #mark: Mark | undefined;
  #isLoaded = false;
  #isCaughtUp = false;
  /** The newest live message that arrived while catching up. */
  #newest: Mark | undefined;
  #isWriting = false;

  constructor(storage: Storage, account: Jid, archive: Jid, background: (work: () => unknown) => void) {
    this.#storage = storage;
    this.#key = `archive ${account.toString()} ${archive.toString()}`;
    this.#background = background;
  }

  /** Whether the stored mark has been loaded or replaced. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Loads the mark; `undefined` if none was stored. */
  async load(): Promise<Mark | undefined> {
    if (!this.#isLoaded) {
      const stored = readMark(await this.#storage.get(this.#key));
      this.#mark ??= stored;
      this.#isLoaded = true;
    }
    return this.#mark;
  }

  /** From now on, messages may be missing. */
  interrupted(): void {
    this.#isCaughtUp = false;
    this.#newest = undefined;
  }

  /** All messages up to this one were processed. */
  reached(mark: Mark): void {
    if (mark.id === this.#newest?.id) this.#newest = undefined;
    this.#move(mark);
  }

  /** The end of the archive was reached. */
  caughtUp(): void {
    this.#isCaughtUp = true;
    if (this.#newest !== undefined) this.#move(this.#newest);
    this.#newest = undefined;
  }

  /** A live message arrived. */
  arrived(mark: Mark): void {
    if (this.#isCaughtUp) this.#move(mark);
    else this.#newest = mark;
  }

  #move(mark: Mark): void {
    this.#mark = mark;
    this.#isLoaded = true;
    if (!this.#isWriting) this.#background(() => this.#write());
  }

  /** Changes during a write are written by the next one. */
  async #write(): Promise<void> {
    this.#isWriting = true;
    try {
      let written: Mark | undefined;
      do {
        await Promise.resolve();
        written = this.#mark;
        await this.#storage.set(this.#key, written === undefined ? undefined : writeMark(written));
      } while (written !== this.#mark);
    } finally {
      this.#isWriting = false;
    }
  }
}

/** A timestamp, followed by a space and the id if there is one. */
function writeMark({ id, at }: Mark): string {
  return id === undefined || id.length > MAX_ID_LENGTH ? at.toISOString() : `${at.toISOString()} ${id}`;
}

function readMark(text: string | undefined): Mark | undefined {
  const [, time = '', id] = /^(\S+)(?: (.+))?$/s.exec(text ?? '') ?? [];
  const at = new Date(time);
  return Number.isNaN(at.getTime()) ? undefined : { id, at };
}
