import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import type { Test } from 'tap';

import type { ClientOptions } from '../../../src/xmpp-core/client-options.js';
import { type Client, createClient } from '../../../src/xmpp-core/client.js';
import { Jid } from '../../../src/xmpp-core/jid/jid.js';
import type { Server } from '../servers/server.js';

const PASSWORD = 'everybody here has the same password';

/** The options that let a client in: of a new account, unless one is given. */
export async function wayIn(server: Server, jid?: Jid | string): Promise<ClientOptions & { readonly jid: Jid }> {
  return {
    jid: Jid.from(jid ?? (await server.register(`ann-${randomUUID()}`, PASSWORD))),
    password: PASSWORD,
    server: { host: '127.0.0.1', port: server.site.ports.startTls, directTls: false },
    ca: await readFile(server.authority, 'utf8'),
    reconnect: { firstMs: 20, maxMs: 1_000 },
  };
}

/** A client that is online, on a new account unless `jid` names one that was made here before; it leaves when the test ends. */
export async function enter(t: Test, server: Server, options: Partial<ClientOptions> = {}): Promise<Client> {
  const client = createClient({ ...(await wayIn(server, options.jid)), ...options });
  t.teardown(async () => client.stop());
  await client.start();
  return client;
}
