/** Reads a conversation from its files, newest first, and no further back than needed. */
import { chmod } from 'node:fs/promises';
import { exists } from './disk.js';
import { journalFile, journalFiles, type JournalPaths, type JournalState, readJournalFile } from './journal.js';
import { type HistoryRecord, readLine } from './records.js';

/**
 * Something that was skipped: a line, which stays in the file; a torn last line, whose write was never acknowledged and which
 * is cut off; or a whole conversation.
 */
export interface HistoryNotice {
  readonly problem: 'damaged line' | 'unknown record' | 'torn end' | 'unreadable';
  /** The path of the file, or of the conversation's folder. */
  readonly file: string;
  /** Line number, from 1. */
  readonly line?: number;
}

/** A conversation as read from disk. */
export interface LoadedHistory {
  readonly state: JournalState;
  /** The records of the current session, oldest first; only the end of a long one. */
  readonly session: readonly HistoryRecord[];
  /** The keys and aliases of recent messages and commands, of this session and earlier ones, oldest first. */
  readonly keys: readonly string[];
}

/**
 * Reads a conversation, repairs the newest file and reports what it skips.
 * @param enough when to stop reading: bytes of the current session, and number of keys
 * @throws HistoryError when a file cannot be read
 */
export async function loadHistory(
  paths: JournalPaths,
  enough: { readonly bytes: number; readonly keys: number },
  report: (notice: HistoryNotice) => void,
): Promise<LoadedHistory> {
  const files = await journalFiles(paths);
  const newest = files[0] ?? 0;
  const session: (readonly HistoryRecord[])[] = [];
  const keys: (readonly string[])[] = [];
  let newestBytes = 0;
  let sessionBytes = 0;
  const distinctKeys = new Set<string>();
  let inSession = true;

  for (const file of files) {
    const path = journalFile(paths, file);
    if (file === newest) await chmod(path, 0o600);
    const { records, bytes } = await readRecords(path, file === newest, report);
    if (file === newest) newestBytes = bytes;
    if (inSession) {
      session.push(records);
      sessionBytes += bytes;
      inSession = !beginsSession(records) && sessionBytes < enough.bytes;
    }
    const fileKeys = records.flatMap((record) => namesOf(record));
    keys.push(fileKeys);
    for (const key of fileKeys) distinctKeys.add(key); // Carried-over records are in several files.
    if (!inSession && distinctKeys.size >= enough.keys) break;
  }
  return {
    state: { file: newest, bytes: newestBytes, marked: await exists(paths.marker) },
    session: session.toReversed().flat(),
    keys: keys.toReversed().flat(),
  };
}

/** The names by which a duplicate of what it records is recognized. */
function namesOf(record: HistoryRecord): readonly string[] {
  const keys = 'key' in record ? [record.key] : [];
  return 'alias' in record && record.alias !== undefined ? [...keys, record.alias] : keys;
}

function beginsSession(records: readonly HistoryRecord[]): boolean {
  return records[0]?.kind === 'session' && records[0].continues !== true;
}

async function readRecords(
  path: string,
  repair: boolean,
  report: (notice: HistoryNotice) => void,
): Promise<{ readonly records: readonly HistoryRecord[]; readonly bytes: number }> {
  const isComplete = (line: string): boolean => readLine(line).is !== 'damaged';
  const { lines, bytes, torn } = await readJournalFile(path, { repair, isComplete });
  const records: HistoryRecord[] = [];
  for (const [index, line] of lines.entries()) {
    const read = readLine(line);
    if (read.is === 'record') records.push(read.record);
    else report({ problem: read.is === 'unknown' ? 'unknown record' : 'damaged line', file: path, line: index + 1 });
  }
  if (torn) report({ problem: 'torn end', file: path, line: lines.length + 1 });
  return { records, bytes };
}

/** The id of a conversation as recorded in its files; `undefined` when none records it. */
export async function recordedId(paths: JournalPaths): Promise<string | undefined> {
  for (const file of await journalFiles(paths)) {
    const { records } = await readRecords(journalFile(paths, file), false, () => undefined);
    const first = records[0];
    if (first?.kind === 'session') return first.conversation;
  }
  return undefined;
}
