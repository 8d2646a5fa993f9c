import t from 'tap';

import { archiveExtensions } from './extensions/archive.js';
import { loginExtensions } from './extensions/login.js';
import { messageExtensions } from './extensions/messages.js';
import { presenceExtensions } from './extensions/presence.js';
import { pubsubExtensions } from './extensions/pubsub.js';
import { roomExtensions } from './extensions/rooms.js';
import { streamExtensions } from './extensions/stream.js';
import { Server, type ServerSoftware } from './servers/server.js';

/** The extensions of the library, tried one family after the other against one server software. */
export async function extensions(software: ServerSoftware): Promise<void> {
  const server = await Server.start(software);
  t.teardown(async () => server.stop());
  for (const family of [
    streamExtensions,
    loginExtensions,
    presenceExtensions,
    messageExtensions,
    archiveExtensions,
    roomExtensions,
    pubsubExtensions,
  ]) {
    await family(server);
  }
}
