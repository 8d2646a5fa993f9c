import { randomUUID } from 'node:crypto';
import t, { type Test } from 'tap';
import { chatPlugins } from '../../../src/xeps/chat-plugins.js';
import { serviceDiscovery } from '../../../src/xeps/xep-0030-service-discovery.js';
import { streamManagement } from '../../../src/xeps/xep-0198-stream-management/index.js';
import { clientStateIndication } from '../../../src/xeps/xep-0352-client-state-indication.js';
import { bind2 } from '../../../src/xeps/xep-0386-bind2.js';
import { sasl2 } from '../../../src/xeps/xep-0388-sasl2.js';
import type { Client } from '../../../src/xmpp-core/client.js';
import { Jid } from '../../../src/xmpp-core/jid/jid.js';
import { writeMessage } from '../../../src/xmpp-core/stanza/stanzas.js';
import { until } from '../../support/loopback.js';
import { breakableWay } from '../breakable-way.js';
import type { Server } from '../servers/server.js';
import { enter, wayIn } from './enter.js';

const PATIENCE_MS = 20_000;

/** A way to the server that can be broken: connections through it end without a word. */
async function fragileWay(t: Test, server: Server) {
  const { port, cut, mend } = await breakableWay(t, server.site.ports.startTls);
  return {
    server: { host: '127.0.0.1', port, directTls: false },
    breaks(): void {
      cut();
      mend();
    },
  };
}

function bodiesOf(client: Client): string[] {
  const bodies: string[] = [];
  client.events.on('message', ({ body }) => {
    if (body !== undefined) bodies.push(body);
  });
  return bodies;
}

const chat = (to: Jid | undefined, body: string) =>
  writeMessage({ to: to ?? Jid.parse('nobody@invalid'), type: 'chat', id: randomUUID(), body });

/** Stream management and client states. */
export async function streamExtensions(server: Server): Promise<void> {
  // Made early: a server that is killed may not have written the newest accounts to its disk yet.
  const [annsWay, bobsWay] = [await wayIn(server), await wayIn(server)];
  const ways = {
    'RFC 6120': [streamManagement],
    'SASL2 and Bind2': [streamManagement, serviceDiscovery, sasl2, bind2],
  };
  for (const [way, plugins] of Object.entries(ways)) {
    // [XEP-0198 §4] [XEP-0198 §5] [XEP-0198 §8]
    await t.test(
      `${server.name}, by ${way}: a session whose connection broke is resumed, and nothing is lost or doubled`,
      async (t) => {
        const fragile = await fragileWay(t, server);
        const ann = await enter(t, server, { plugins, server: fragile.server });
        const bob = await enter(t, server, { plugins });
        const [toAnn, toBob] = [bodiesOf(ann), bodiesOf(bob)];
        const first = chat(bob.jid, 'before');
        ann.send(first);
        await ann.get(streamManagement).acknowledged(first.attr('id') ?? '', AbortSignal.timeout(PATIENCE_MS));
        t.ok(ann.get(streamManagement).enabled);
        const jid = ann.jid?.toString();
        for (let round = 1; round <= 3; round++) {
          const resumed = ann.events.once('online', { timeoutMs: PATIENCE_MS });
          const suspended = ann.events.once('suspended', { timeoutMs: PATIENCE_MS });
          // On its way when the connection breaks: it may have arrived or not.
          ann.send(chat(bob.jid, `with the break ${round}`));
          await new Promise((resolve) => setImmediate(resolve));
          fragile.breaks();
          bob.send(chat(ann.jid, `into the break ${round}`));
          await suspended;
          const from = performance.now();
          ann.send(chat(bob.jid, `while suspended ${round}`));
          t.ok((await resumed).resumed);
          t.comment(
            `resumed in ${Math.round(performance.now() - from)} ms, of which some is the wait before the attempt`,
          );
        }
        const last = chat(bob.jid, 'after');
        ann.send(last);
        bob.send(chat(ann.jid, 'after'));
        await ann.get(streamManagement).acknowledged(last.attr('id') ?? '', AbortSignal.timeout(PATIENCE_MS));
        await arrives(toAnn, 'after');
        await arrives(toBob, 'after');
        const rounds = [1, 2, 3];
        t.strictSame(toAnn, [...rounds.map((round) => `into the break ${round}`), 'after']);
        const said = rounds.flatMap((round) => [`with the break ${round}`, `while suspended ${round}`]);
        t.strictSame(toBob, ['before', ...said, 'after']);
        t.equal(ann.jid?.toString(), jid);
      },
    );
  }

  // [XEP-0352 §4.2]
  await t.test(`${server.name}: an inactive client is believed, and gets what matters`, async (t) => {
    const ann = await enter(t, server, { plugins: chatPlugins });
    const bob = await enter(t, server);
    await enabled(ann);
    ann.get(clientStateIndication).setActive(false);
    const heard = bodiesOf(ann);
    bob.send(chat(ann.jid, 'urgent'));
    await arrives(heard, 'urgent');
    ann.get(clientStateIndication).setActive(true);
    const asked = chat(bob.jid, 'and the stream goes on');
    ann.send(asked);
    await ann.get(streamManagement).acknowledged(asked.attr('id') ?? '', AbortSignal.timeout(PATIENCE_MS));
  });

  // [XEP-0198 §5]
  await t.test(
    `${server.name}: where the server has died and forgotten, what it had not taken over is sent in a new session`,
    async (t) => {
      const ann = await enter(t, server, { ...annsWay, plugins: [streamManagement] });
      const seen: string[] = [];
      ann.events.on('offline', ({ reason }) => {
        seen.push('offline');
        t.comment(reason?.message ?? 'stopped');
      });
      const suspended = ann.events.once('suspended', { timeoutMs: PATIENCE_MS });
      const online = ann.events.once('online', { timeoutMs: 60_000 });
      await enabled(ann);
      await server.kill();
      await suspended;
      const lost = chat(bobsWay.jid, 'through the death of a server');
      ann.send(lost);
      await server.start();
      t.notOk((await online).resumed);
      t.strictSame(seen, ['offline']);
      await ann.get(streamManagement).acknowledged(lost.attr('id') ?? '', AbortSignal.timeout(PATIENCE_MS));
      const bob = await enter(t, server, { ...bobsWay, plugins: [streamManagement], presence: false });
      const heard = bodiesOf(bob);
      bob.setPresence({});
      await arrives(heard, 'through the death of a server');
    },
  );
}

/** The server's consent comes when the session is up already. */
async function enabled(client: Client): Promise<void> {
  await until(() => client.get(streamManagement).enabled, 'the consent to count stanzas');
}

async function arrives(bodies: readonly string[], body: string): Promise<void> {
  await until(() => bodies.includes(body), `the message '${body}'`);
}
