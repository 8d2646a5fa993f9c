/** Settings that this version reads and checks but does nothing about. A line goes when what it speaks of works. */

/**
 * By path, in which `*` stands for a name. The value says what is missing, in words that go after "has no effect in this version: ".
 */
export const notYet: ReadonlyMap<string, string> = new Map([
  ['channels.xmpp.*.media_max_mb', 'media in messages is not fetched'],
  ['channels.xmpp.*.blocked_media_types', 'media in messages is not fetched'],
  ['channels.xmpp.*.media_private_hosts', 'media in messages is not fetched'],
]);
