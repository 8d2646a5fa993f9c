/** Reads a conversation from its files, newest first, and no further back than is needed. */
import { chmod } from 'node:fs/promises';
import { exists } from './disk.js';
import { journalFile, journalFiles, type JournalPaths, type JournalState, readJournalFile } from './journal.js';
import { type HistoryRecord, readLine } from './records.js';

/**
 * Something that was passed over: a line that stays where it is, a torn end, which was never promised to anybody and is cut
 * off, or a whole conversation.
 */
export interface HistoryNotice {
  readonly problem: 'damaged line' | 'unknown record' | 'torn end' | 'unreadable';
  /** The path of the file, or of the conversation's folder. */
  readonly file: string;
  /** Counted from 1. */
  readonly line?: number;
}

/** What is known of a conversation at start. */
export interface LoadedHistory {
  readonly state: JournalState;
  /** The records of the current session, oldest first; of a long one its end. */
  readonly session: readonly HistoryRecord[];
  /** The keys of what was heard lately, in this session and before, oldest first. */
  readonly keys: readonly string[];
}

/**
 * @param wanted how much is enough: bytes of the current session's past, and keys
 * @throws HistoryError when a file cannot be read
 */
export async function loadHistory(
  place: JournalPaths,
  wanted: { readonly bytes: number; readonly keys: number },
  report: (notice: HistoryNotice) => void,
): Promise<LoadedHistory> {
  const files = await journalFiles(place);
  const newest = files[0] ?? 0;
  const session: (readonly HistoryRecord[])[] = [];
  const keys: (readonly string[])[] = [];
  let newestBytes = 0;
  let sessionBytes = 0;
  const distinctKeys = new Set<string>();
  let inSession = true;

  for (const file of files) {
    const path = journalFile(place, file);
    if (file === newest) await chmod(path, 0o600);
    const { records, bytes } = await readRecords(path, file === newest, report);
    if (file === newest) newestBytes = bytes;
    if (inSession) {
      session.push(records);
      sessionBytes += bytes;
      inSession = !beginsSession(records) && sessionBytes < wanted.bytes;
    }
    const heard = records.flatMap((record) => ('key' in record ? [record.key] : []));
    keys.push(heard);
    for (const key of heard) distinctKeys.add(key); // What was owed stands in several files.
    if (!inSession && distinctKeys.size >= wanted.keys) break;
  }
  return {
    state: { file: newest, bytes: newestBytes, marked: await exists(place.marker) },
    session: session.toReversed().flat(),
    keys: keys.toReversed().flat(),
  };
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

/** The id of a conversation as its own files tell it; `undefined` when none of them does. */
export async function recordedId(place: JournalPaths): Promise<string | undefined> {
  for (const file of await journalFiles(place)) {
    const { records } = await readRecords(journalFile(place, file), false, () => undefined);
    const first = records[0];
    if (first?.kind === 'session') return first.conversation;
  }
  return undefined;
}
