/** How far an account's knowledge of its archives reaches, kept from one run of the program to the next. */
import type { Jid } from '../../xmpp-core/jid/jid.js';
import type { Storage } from '../../xmpp-core/storage.js';

/** The last message of an archive that was dealt with. */
export interface Mark {
  /** `undefined` while the archive was found empty. */
  readonly id: string | undefined;
  /** By the archive's clock where it said so, or else by ours. For the case that the archive forgets the id. */
  readonly at: Date;
}

/** In characters. An id that is longer is not kept; the time is then all there is. */
const MAX_ID_LENGTH = 500;

/**
 * The mark of one archive. What arrives live moves it only once everything before was fetched: it would otherwise pass over what was
 * missed.
 */
export class ArchiveMark {
  readonly #storage: Storage;
  readonly #key: string;
  readonly #background: (work: () => unknown) => void;
  #mark: Mark | undefined;
  #isLoaded = false;
  #isCaughtUp = false;
  /** What came live while we were catching up. */
  #newest: Mark | undefined;
  #isWriting = false;

  constructor(storage: Storage, account: Jid, archive: Jid, background: (work: () => unknown) => void) {
    this.#storage = storage;
    this.#key = `archive ${account.toString()} ${archive.toString()}`;
    this.#background = background;
  }

  /** Whether it is known what an earlier run of the program wrote down. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  async load(): Promise<Mark | undefined> {
    if (!this.#isLoaded) {
      const stored = readMark(await this.#storage.get(this.#key));
      this.#mark ??= stored;
      this.#isLoaded = true;
    }
    return this.#mark;
  }

  /** Messages may have been missed. */
  interrupted(): void {
    this.#isCaughtUp = false;
    this.#newest = undefined;
  }

  /** Everything up to this message of the archive was dealt with. */
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

  /** A message came live. */
  arrived(mark: Mark): void {
    if (this.#isCaughtUp) this.#move(mark);
    else this.#newest = mark;
  }

  #move(mark: Mark): void {
    this.#mark = mark;
    this.#isLoaded = true;
    if (!this.#isWriting) this.#background(() => this.#write());
  }

  /** What changes while a write is under way goes into the next. */
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

/** A time, and after a space the id if there is one. */
function writeMark({ id, at }: Mark): string {
  return id === undefined || id.length > MAX_ID_LENGTH ? at.toISOString() : `${at.toISOString()} ${id}`;
}

function readMark(text: string | undefined): Mark | undefined {
  const [, time = '', id] = /^(\S+)(?: (.+))?$/s.exec(text ?? '') ?? [];
  const at = new Date(time);
  return Number.isNaN(at.getTime()) ? undefined : { id, at };
}
