/** Whether the account has an archive (XEP-0313) that the bot reads, across restarts. */
import type { Jid } from '../../../xmpp-core/jid/jid.js';
import type { Storage } from '../../../xmpp-core/storage.js';

/** When the run of the bot began that read the archive first; `undefined` when the account has no archive, or it was never read. */
export async function archiveReadSince(storage: Storage, account: Jid): Promise<Date | undefined> {
  const stored = await storage.get(keyOf(account));
  return stored === undefined ? undefined : new Date(stored);
}

/** Records when the archive was read first. @param since `undefined` when the account has no archive */
export async function setArchiveReadSince(storage: Storage, account: Jid, since: Date | undefined): Promise<void> {
  await storage.set(keyOf(account), since?.toISOString());
}

function keyOf(account: Jid): string {
  return `archive-read ${account.toString()}`;
}
