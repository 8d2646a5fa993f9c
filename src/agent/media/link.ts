/** A file before it is fetched. */

import type { ContentHash } from './content-hash.js';

/** A link to a file, as claimed by its sender. */
export interface MediaLink {
  /** With the scheme `https:`, `http:` or `aesgcm:`. */
  readonly url: string;
  /** Valid as a file name, without invisible characters. */
  readonly name: string;
  /** Media type, such as `image/png`. */
  readonly type?: string;
  /** In bytes. */
  readonly size?: number;
  /** The hash that the file must have. */
  readonly hash?: ContentHash;
}
