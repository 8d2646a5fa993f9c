/** Everything that a scenario can switch on in the library's client. */
import { archiveExtensions } from './archive.js';
import { coreExtensions } from './core.js';
import { entityExtensions } from './entities.js';
import type { Extension } from './extension.js';
import { fileExtensions } from './files.js';
import { messageExtensions } from './messages.js';
import { pubsubExtensions } from './pubsub.js';
import { roomExtensions } from './rooms.js';
import { sessionExtensions } from './session.js';

const EXTENSIONS: ReadonlyMap<string, Extension> = new Map(
  Object.entries({
    ...coreExtensions,
    ...sessionExtensions,
    ...messageExtensions,
    ...roomExtensions,
    ...archiveExtensions,
    ...entityExtensions,
    ...pubsubExtensions,
    ...fileExtensions,
  }),
);

/** The names of all of them, as they stand in the header `Client`. */
export const extensionNames: readonly string[] = [...EXTENSIONS.keys()].toSorted();

/** Those of these names. @throws Error that says which there are */
export function extensionsOf(names: readonly string[]): readonly Extension[] {
  return names.map((name) => {
    const extension = EXTENSIONS.get(name);
    if (extension !== undefined) return extension;
    throw new Error(`the client has no '${name}'; there are ${extensionNames.join(', ')}`);
  });
}
