/** Everything that a scenario can switch on in the library's client. */
import { coreExtensions } from './core.js';
import type { Extension } from './extension.js';
import { messageExtensions } from './messages.js';
import { roomExtensions } from './rooms.js';

const EXTENSIONS: ReadonlyMap<string, Extension> = new Map(
  Object.entries({ ...coreExtensions, ...messageExtensions, ...roomExtensions }),
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
