/** What is known of a file before anything of it was fetched. */

import type { ContentHash } from './content-hash.js';

/** A file that somebody says is at a URL. */
export interface MediaLink {
  /** Of the scheme `https:`, `http:` or `aesgcm:`. */
  readonly url: string;
  /** Can stand in a directory, and shows nothing that people would not see. */
  readonly name: string;
  /** Such as `image/png`. */
  readonly type?: string;
  /** In bytes. */
  readonly size?: number;
  /** What it has to have, or it is another file. */
  readonly hash?: ContentHash;
}
