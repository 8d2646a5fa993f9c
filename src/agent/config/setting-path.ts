/** Settings by path, `channels.xmpp.*.password`: which of them a file has. */
import { isTable, type Path, type TomlTable } from './toml-document.js';

/** Every path in the tables that the pattern describes; `*` stands for any key. */
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
