/** XEP-0410 MUC Self-Ping. */
import t from 'tap';
import * as xeps from '../../src/xeps/index.js';
import { StanzaError, TimeoutError } from '../../src/xmpp-core/errors.js';
import { PATIENCE_MS, recorder, startLoopback, until } from '../support/loopback.js';
import { iqError, ROOM, ROOM_TEXT } from '../support/rooms.js';

const { muc } = xeps;

// [XEP-0410 §3.2] [pitfall-muc-ghost] [pitfall-muc-lost]
t.test('a room that no longer knows us is detected by a self-ping and joined again', async (t) => {
  const { server, online } = await startLoopback(t);
  let answer: string | undefined;
  const log = recorder((element) =>
    element.child('ping', xeps.NS_PING) === undefined || element.attr('to') !== `${ROOM_TEXT}/ann`
      ? undefined
      : answer === undefined
        ? ''
        : iqError(element.attr('id') ?? '', `${ROOM_TEXT}/ann`, answer),
  );
  server.misbehave(log);
  const selfPing = xeps.mucSelfPingWith({ silenceMs: 30, timeoutMs: 50, retryMs: 30 });
  const ann = await online('ann', { plugins: [muc, selfPing] });
  const pings = (): number => log.sent.filter((one) => one.child('ping', xeps.NS_PING)).length;
  const joins = (): number => log.sent.filter((one) => one.child('x', xeps.NS_MUC)).length;
  await ann.get(muc).join(ROOM, { nick: 'ann' });
  await until(() => pings() >= 2, 'another ping after one without an answer');
  answer = 'service-unavailable';
  const before = pings();
  await until(() => pings() >= before + 2, 'a ping after the next silence');
  t.equal(joins(), 1, 'neither a timeout nor service-unavailable is a loss');
  const left = ann.get(muc).events.once('left', { timeoutMs: PATIENCE_MS });
  const back = ann.get(muc).events.once('joined', { timeoutMs: PATIENCE_MS });
  answer = 'not-acceptable';
  t.equal((await left).why, 'lost');
  answer = 'item-not-found';
  t.equal((await back).nick, 'ann');
});

// [XEP-0410 §3.2]
t.test('each answer to a self-ping has the verdict of the XEP', (t) => {
  const verdict = (condition: Parameters<typeof StanzaError.of>[0]): string =>
    xeps.selfPingVerdict(StanzaError.of(condition));
  t.equal(xeps.selfPingVerdict(undefined), 'joined');
  for (const one of ['service-unavailable', 'feature-not-implemented', 'item-not-found'] as const)
    t.equal(verdict(one), 'joined', one);
  for (const one of ['remote-server-not-found', 'remote-server-timeout'] as const)
    t.equal(verdict(one), 'undecided', one);
  t.equal(xeps.selfPingVerdict(new TimeoutError('a ping', 1)), 'undecided');
  for (const one of ['not-acceptable', 'not-allowed', 'bad-request'] as const) t.equal(verdict(one), 'lost', one);
  t.end();
});
