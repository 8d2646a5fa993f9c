import { connect } from 'node:net';

import t, { type Test } from 'tap';

import { streamManagement } from '../../../src/xeps/xep-0198-stream-management/index.js';
import { carbons } from '../../../src/xeps/xep-0280-message-carbons.js';
import { bind2 } from '../../../src/xeps/xep-0386-bind2.js';
import { fast } from '../../../src/xeps/xep-0484-fast.js';
import type { ClientOptions } from '../../../src/xmpp-core/client-options.js';
import { type Client, createClient } from '../../../src/xmpp-core/client.js';
import type { Jid } from '../../../src/xmpp-core/jid/jid.js';
import type { Plugin } from '../../../src/xmpp-core/plugin.js';
import { memoryStorage } from '../../../src/xmpp-core/storage.js';
import { listen } from '../../support/meddler.js';
import type { Server } from '../servers/server.js';
import { wayIn } from './enter.js';

/** Round trips from the TCP connection to the session, as docs/coming-online.md has them; the handshake of TCP is one more. */
const ROUND_TRIPS = {
  StartTLS: { 'RFC 6120': 8, password: 6, token: 5 },
  'direct TLS': { 'RFC 6120': 6, password: 4, token: 3 },
  WebSocket: { 'RFC 6120': 7, password: 5, token: 4 },
} as const;

/** Logging in by SASL2 with Bind 2, for a token and then by it, and what either costs. */
export async function loginExtensions(server: Server): Promise<void> {
  for (const way of ['StartTLS', 'direct TLS', 'WebSocket'] as const) {
    // [XEP-0388 §2] [XEP-0386 §3] [XEP-0484 §3]
    await t.test(
      `${server.name}: by ${way} one negotiation brings a session, and the next needs no password`,
      async (t) => {
        const base = await wayIn(server);
        const storage = memoryStorage();
        const inline = [streamManagement, carbons, bind2, fast];
        // ejabberd does not offer SASL2 on a WebSocket, whose TLS is not its own; RFC 6120 goes on as ever.
        const isOffered = server.name === 'prosody' || way !== 'WebSocket';

        const plain = await comeOnline(t, server, way, base, []);
        t.equal(plain.client.jid?.resource, 'moltis');
        t.equal(plain.roundTrips, ROUND_TRIPS[way]['RFC 6120'], `RFC 6120: ${plain.ms} ms`);
        await plain.client.stop();

        const byPassword = await comeOnline(t, server, way, { ...base, storage }, inline);
        t.equal(
          byPassword.roundTrips,
          ROUND_TRIPS[way][isOffered ? 'password' : 'RFC 6120'],
          `by password: ${byPassword.ms} ms`,
        );
        t.match(byPassword.client.jid?.resource, isOffered ? /^moltis./ : 'moltis', 'the server adds to our resource');
        t.equal(byPassword.wasManaged, isOffered, 'stream management came with the session');
        await byPassword.client.stop();
        if (!isOffered) return;

        const wrong = { ...base, storage, password: 'wrong' };
        const byToken = await comeOnline(t, server, way, wrong, inline);
        t.equal(byToken.roundTrips, ROUND_TRIPS[way].token, `by token: ${byToken.ms} ms`);
        await byToken.client.get(fast).revoke();
        await byToken.client.stop();
        await (await comeOnline(t, server, way, wrong, inline)).client.stop();
        await t.rejects(comeOnline(t, server, way, wrong, inline), { name: 'SaslError', condition: 'not-authorized' });
        t.comment(`${server.name} ${way} ms: RFC 6120 ${plain.ms}, password ${byPassword.ms}, token ${byToken.ms}`);
      },
    );
  }

  // [XEP-0484 §4.1]
  await t.test(
    `${server.name}: a token that the server does not know costs one attempt, and the password follows`,
    async (t) => {
      const base = await wayIn(server);
      const storage = memoryStorage();
      await (await comeOnline(t, server, 'direct TLS', { ...base, storage }, [fast])).client.stop();
      const key = `fast-token ${base.jid.toString()}`;
      const kept = (await storage.get(key)) ?? '';
      const foreign = kept.replace(/"token":"[^"]*"/, '"token":"of-nobody"');
      t.not(foreign, kept);
      await storage.set(key, foreign);
      const second = await comeOnline(t, server, 'direct TLS', { ...base, storage }, [fast]);
      t.match(await storage.get(key), /"token"/, 'and brings a new token');
      t.notMatch(await storage.get(key), 'of-nobody');
      await second.client.stop();
    },
  );
}

interface Arrival {
  readonly client: Client;
  readonly roundTrips: number;
  readonly ms: number;
  /** Whether stream management was on at the moment when the session came. */
  readonly wasManaged: boolean;
}

async function comeOnline(
  t: Test,
  server: Server,
  way: keyof typeof ROUND_TRIPS,
  base: ClientOptions & { readonly jid: Jid },
  plugins: readonly Plugin<unknown>[],
): Promise<Arrival> {
  const { startTls, directTls, https } = server.site.ports;
  const counter = await countingRelay(t, { StartTLS: startTls, 'direct TLS': directTls, WebSocket: https }[way]);
  const options: ClientOptions = { ...base, resource: 'moltis', presence: false, plugins };
  const place: Partial<ClientOptions> =
    way === 'WebSocket'
      ? { websocket: server.webSocket.replace(`:${https}`, `:${counter.port}`) }
      : { server: { host: '127.0.0.1', port: counter.port, directTls: way === 'direct TLS' } };
  const client = createClient({ ...options, ...place });
  t.teardown(async () => client.stop());
  const at = performance.now();
  let arrival: Arrival | undefined;
  client.events.on('online', () => {
    const wasManaged = plugins.includes(streamManagement) && client.get(streamManagement).enabled;
    arrival = { client, roundTrips: counter.turns, ms: Math.round(performance.now() - at), wasManaged };
  });
  await client.start();
  if (arrival === undefined) throw new Error('a client that has started is online');
  return arrival;
}

/** A relay to a port that counts how often the client spoke after it had heard something: each time it waited for an answer. */
async function countingRelay(t: Test, port: number): Promise<{ readonly port: number; readonly turns: number }> {
  let turns = 0;
  const relay = await listen(t, (client) => {
    const server = connect(port, '127.0.0.1');
    let isOurTurn = true;
    client.on('data', (chunk) => {
      if (isOurTurn) turns++;
      isOurTurn = false;
      server.write(chunk);
    });
    server.on('data', (chunk) => {
      isOurTurn = true;
      client.write(chunk);
    });
    server.on('close', () => client.destroy()).on('error', () => client.destroy());
    client.on('close', () => server.destroy());
  });
  return {
    port: relay.port,
    get turns() {
      return turns;
    },
  };
}
