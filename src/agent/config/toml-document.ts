/** A TOML file as values, and where in the file each of them stands. */
import { parse, TomlError } from 'smol-toml';
import { ParseError, parseTOML, type AST } from 'toml-eslint-parser';

/** Its values are tables, arrays, dates and plain values. */
export type TomlTable = Readonly<Record<string, unknown>>;

/** True for tables: not for arrays, dates and plain values. */
export function isTable(value: unknown): value is TomlTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** The way from the root to a value: keys, and indices of arrays. */
export type Path = readonly PropertyKey[];

/** Both from 1; the column in UTF-16 code units. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** The text is not TOML. The message quotes nothing of it: a password may stand in that line. */
export class TomlSyntaxError extends Error {
  override readonly name = 'TomlSyntaxError';
  readonly place: Place;

  constructor(message: string, place: Place, cause: unknown) {
    super(message, { cause });
    this.place = place;
  }
}

/** What people most often did when the parser says so. */
const HINTS: ReadonlyMap<string, string> = new Map([
  ['invalid value', ' (strings need quotes)'],
  ['control characters are not allowed in strings', ' (is the closing quote missing?)'],
]);

/** Where a key and its value stand, and all below it. A table's value stands where its header or first mention does. */
interface Spot {
  readonly key: Place;
  value: Place;
  readonly children: Map<string, Spot>;
}

/** What one parser knows (values) beside what the other knows (positions). */
export class TomlDocument {
  readonly root: TomlTable;
  readonly #spots: Spot;

  private constructor(root: TomlTable, spots: Spot) {
    this.root = root;
    this.#spots = spots;
  }

  /** @throws {TomlSyntaxError} */
  static parse(text: string): TomlDocument {
    try {
      // The one parser skips a byte order mark, the other does not know it; a space keeps the columns right.
      const marked = text.replace(/^\uFEFF/, ' ');
      return new TomlDocument(parse(marked), readSpots(parseTOML(marked, { tomlVersion: 'latest' })));
    } catch (error) {
      if (error instanceof TomlError) {
        // The second line on is an excerpt of the file.
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

  /** Where the value stands; of one that is not there, where the table stands that lacks it. */
  placeOf(path: Path): Place {
    return this.#find(path).value;
  }

  /** Where the last key of the path stands. */
  placeOfKey(path: Path): Place {
    return this.#find(path).key;
  }

  /** The spot of the path, or of the nearest of its ancestors that is in the file. */
  #find(path: Path): Spot {
    let spot = this.#spots;
    for (const key of path) {
      const child = spot.children.get(String(key));
      if (!child) break;
      spot = child;
    }
    return spot;
  }
}

function readSpots(program: AST.TOMLProgram): Spot {
  const start = { line: 1, column: 1 };
  const root: Spot = { key: start, value: start, children: new Map() };
  for (const item of program.body[0].body) {
    if (item.type === 'TOMLKeyValue') {
      addKeyValue(root, item);
      continue;
    }
    const header = placeOfNode(item);
    const spot = descend(root, item.resolvedKey, item.key.keys, header);
    // A table first mentioned by a table inside it stands where its own header does.
    spot.value = header;
    for (const keyValue of item.body) addKeyValue(spot, keyValue);
  }
  return root;
}

function addKeyValue(table: Spot, { key, value }: AST.TOMLKeyValue): void {
  const names = key.keys.map((part) => (part.type === 'TOMLBare' ? part.name : part.value));
  const spot = descend(table, names, key.keys, placeOfNode(key));
  spot.value = placeOfNode(value);
  addContent(spot, value);
}

function addContent(spot: Spot, value: AST.TOMLContentNode): void {
  if (value.type === 'TOMLInlineTable') {
    for (const keyValue of value.body) addKeyValue(spot, keyValue);
  } else if (value.type === 'TOMLArray') {
    for (const [index, element] of value.elements.entries()) {
      const place = placeOfNode(element);
      const child: Spot = { key: place, value: place, children: new Map() };
      spot.children.set(String(index), child);
      addContent(child, element);
    }
  }
}

/**
 * Goes down from a spot by names, making what is not there yet.
 * @param names keys, and the indices that an array of tables puts between them
 * @param keys the nodes of the keys among the names, in their order
 * @param mention where the whole of it is written
 */
function descend(from: Spot, names: Path, keys: readonly AST.TOMLNode[], mention: Place): Spot {
  let spot = from;
  let next = 0;
  for (const name of names) {
    const node = typeof name === 'number' ? undefined : keys[next++];
    let child = spot.children.get(String(name));
    if (!child) {
      child = { key: node ? placeOfNode(node) : mention, value: mention, children: new Map() };
      spot.children.set(String(name), child);
    }
    spot = child;
  }
  return spot;
}

/** The parser counts columns from 0. */
function placeOfNode({ loc }: AST.TOMLNode): Place {
  return { line: loc.start.line, column: loc.start.column + 1 };
}
