/** Finds the settings of a file that match a pattern such as `channels.xmpp.*.password`. */
import { isTable, type Path, type TomlTable } from './toml-document.js';

/** The paths of all existing settings that match the pattern; `*` matches any key. */
export function settingsAt(root: TomlTable, pattern: string): Path[] {
  let found: { readonly path: Path; readonly value: unknown }[] = [{ path: [], value: root }];
  for (const part of pattern.split('.')) {
    found = found.flatMap(({ path, value }) =>
      isTable(value)
        ? Object.keys(value)
            .filter((key) => part === '*' || key === part)
            .map((key) => ({ path: [...path, key], value: value[key] }))
        : [],
    );
  }
  return found.map(({ path }) => path);
}
