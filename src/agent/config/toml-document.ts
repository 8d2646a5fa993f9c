/** A TOML file: its values, and their positions in the file. */
import { parse, TomlError } from 'smol-toml';
import { ParseError, parseTOML, type AST } from 'toml-eslint-parser';

/** A TOML table; its values are tables, arrays, dates and plain values. */
export type TomlTable = Readonly<Record<string, unknown>>;

/** Whether a value is a table, and not an array, date or plain value. */
export function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** The path from the root to a value: keys, and indices of arrays. */
export type Path = readonly PropertyKey[];

/** A position in the file. Both numbers start at 1; the column counts UTF-16 code units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** The text is not TOML. The message quotes nothing of it, because the line may contain a password. */
export class TomlSyntaxError extends Error {
  override readonly name = 'TomlSyntaxError';
  readonly position: Position;

  constructor(message: string, position: Position, cause: unknown) {
    super(message, { cause });
    this.position = position;
  }
}

/** The most likely mistakes, by the parser's message. */
const HINTS: ReadonlyMap<string, string> = new Map([
  ['invalid value', ' (strings need quotes)'],
  ['control characters are not allowed in strings', ' (is the closing quote missing?)'],
]);

/** The positions of a key, its value and its children. A table's value is at its header or first mention. */
interface PositionEntry {
  readonly key: Position;
  value: Position;
  readonly children: Map<string, PositionEntry>;
}

/** A parsed file. One parser provides the values, another the positions. */
export class TomlDocument {
  readonly root: TomlTable;
  readonly #positions: PositionEntry;

  private constructor(root: TomlTable, positions: PositionEntry) {
    this.root = root;
    this.#positions = positions;
  }

  /** @throws {TomlSyntaxError} */
  static parse(text: string): TomlDocument {
    try {
      // One parser skips a byte order mark, the other rejects it; a space keeps the columns right.
      const marked = text.replace(/^\uFEFF/, ' ');
      return new TomlDocument(parse(marked), readPositions(parseTOML(marked, { tomlVersion: 'latest' })));
    } catch (error) {
      if (error instanceof TomlError) {
        // The lines after the first quote the file.
        const reason = (error.message.split('\n', 1)[0] ?? '').replace('Invalid TOML document: ', '');
        throw new TomlSyntaxError(
          `not TOML: ${reason}${HINTS.get(reason) ?? ''}`,
          { line: error.line, column: error.column },
          error,
        );
      }
      if (error instanceof ParseError) {
        throw new TomlSyntaxError('not TOML', { line: error.lineNumber, column: error.column + 1 }, error);
      }
      throw error;
    }
  }

  /** The position of the value or, if it is missing, of the table that lacks it. */
  positionOf(path: Path): Position {
    return this.#find(path).value;
  }

  /** The position of the last key of the path. */
  positionOfKey(path: Path): Position {
    return this.#find(path).key;
  }

  /** The entry of the path, or of its nearest ancestor in the file. */
  #find(path: Path): PositionEntry {
    let entry = this.#positions;
    for (const key of path) {
      const child = entry.children.get(String(key));
      if (!child) break;
      entry = child;
    }
    return entry;
  }
}

function readPositions(program: AST.TOMLProgram): PositionEntry {
  const start = { line: 1, column: 1 };
  const root: PositionEntry = { key: start, value: start, children: new Map() };
  for (const item of program.body[0].body) {
    if (item.type === 'TOMLKeyValue') {
      addKeyValue(root, item);
      continue;
    }
    const header = positionOfNode(item);
    const entry = descend(root, item.resolvedKey, item.key.keys, header);
    // A table that was first mentioned by a table inside it gets the position of its own header.
    entry.value = header;
    for (const keyValue of item.body) addKeyValue(entry, keyValue);
  }
  return root;
}

function addKeyValue(table: PositionEntry, { key, value }: AST.TOMLKeyValue): void {
  const names = key.keys.map((part) => (part.type === 'TOMLBare' ? part.name : part.value));
  const entry = descend(table, names, key.keys, positionOfNode(key));
  entry.value = positionOfNode(value);
  addContent(entry, value);
}

function addContent(entry: PositionEntry, value: AST.TOMLContentNode): void {
  if (value.type === 'TOMLInlineTable') {
    for (const keyValue of value.body) addKeyValue(entry, keyValue);
  } else if (value.type === 'TOMLArray') {
    for (const [index, element] of value.elements.entries()) {
      const position = positionOfNode(element);
      const child: PositionEntry = { key: position, value: position, children: new Map() };
      entry.children.set(String(index), child);
      addContent(child, element);
    }
  }
}

/**
 * Follows names down from an entry, and creates missing entries.
 * @param names keys, and the indices of arrays of tables between them
 * @param keys the syntax nodes of the keys, in order
 * @param mention the position of the whole expression
 */
function descend(from: PositionEntry, names: Path, keys: readonly AST.TOMLNode[], mention: Position): PositionEntry {
  let entry = from;
  let next = 0;
  for (const name of names) {
    const node = typeof name === 'number' ? undefined : keys[next++];
    let child = entry.children.get(String(name));
    if (!child) {
      child = { key: node ? positionOfNode(node) : mention, value: mention, children: new Map() };
      entry.children.set(String(name), child);
    }
    entry = child;
  }
  return entry;
}

/** The parser counts columns from 0. */
function positionOfNode({ loc }: AST.TOMLNode): Position {
  return { line: loc.start.line, column: loc.start.column + 1 };
}
