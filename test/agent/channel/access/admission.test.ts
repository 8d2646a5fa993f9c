/** Admission decides again when a turn begins; limits and ledger stay bounded. Without a connection. */
import t from 'tap';
import { Admission, type RoomFacts } from '../../../../src/agent/channel/access/admission.js';
import { Denials } from '../../../../src/agent/channel/access/denials.js';
import { Limits } from '../../../../src/agent/channel/access/limits.js';
import { StrangerBook } from '../../../../src/agent/channel/access/stranger-book.js';
import { TokenLedger } from '../../../../src/agent/channel/access/token-ledger.js';
import type { Place } from '../../../../src/agent/channel/places/place.js';
import { Background } from '../../../../src/agent/background.js';
import { parseConfig } from '../../../../src/agent/config/parse-config.js';
import { Jid } from '../../../../src/xmpp-core/jid/jid.js';
import { memoryStorage, type Storage } from '../../../../src/xmpp-core/storage.js';

const ALICE = 'alice@example.org';
const TEAM = Jid.parse('team@rooms.example.org');
const CONFIG = `
[channels.xmpp.bot]
jid = "bot@example.com"
password = "secret"
dm_policy = "allowlist"
rooms = ["${TEAM.toString()}"]
limits = { messages_per_minute = 2, turns_per_minute = 2, tokens_per_day = 100 }
[channels.xmpp.bot.muc_rooms."${TEAM.toString()}"]
users = ["${ALICE}"]
[providers.ollama]
models = ["llama3.2"]
`;
const direct: Place = { kind: 'direct', to: Jid.parse(ALICE) };
/** The bot is in one room; `there` has its occupants, by nick. */
const rooms = (there: Readonly<Record<string, string>> = {}): RoomFacts => ({
  has: (room) => room.bare.equals(TEAM),
  vouchedBy: () => undefined,
  hasVoice: () => true,
  realJidOf: ({ resource }) => Jid.tryParse(there[resource]),
  isSameOccupant: (place) => place.kind !== 'private' || there[place.to.resource] === place.occupant,
});

function ledgerOf(storage: Storage, now: () => Date): TokenLedger {
  const background = new Background((...event) => t.fail(JSON.stringify(event)));
  return new TokenLedger({ storage, account: 'bot@example.com', background, now });
}

function setUp() {
  const { config } = parseConfig(CONFIG, { file: 'moltis.toml', env: {}, baseDirectory: '.' });
  const [account] = config?.accounts ?? [];
  if (account === undefined) throw new Error('the configuration is not valid');
  const clock = { now: Date.UTC(2026, 2, 1, 12) };
  const book = new StrangerBook(memoryStorage(), 'bot@example.com', () => clock.now);
  const limits = new Limits(
    account.limits,
    ledgerOf(memoryStorage(), () => new Date(clock.now)),
    () => clock.now,
  );
  const denied: unknown[] = [];
  const denials = new Denials((_level, _event, fields) => denied.push(fields?.['why']));
  return { admission: new Admission({ account, book, limits, denials }), book, limits, denied, clock };
}

// [promise-denied-silence] [promise-command-approve]
t.test('a question whose sender loses access while it waits is refused without a notice', async (t) => {
  const { admission, book, denied } = setUp();
  const question = { place: direct, payer: ALICE };
  await book.approve(ALICE);
  t.equal(admission.turn('a', question, rooms()), undefined);
  await book.deny(ALICE);
  t.same(admission.turn('a', question, rooms()), { notice: undefined });
  t.same(denied, ['not in allowlist']);
});

// [promise-limit-tokens] [promise-limit-turns]
t.test('a turn is refused when the tokens of the day or the turns of the minute are used up', async (t) => {
  const { admission, book, limits, clock } = setUp();
  await book.approve(ALICE);
  const turn = () => admission.turn('a', { place: direct, payer: ALICE }, rooms());
  t.same([turn(), turn(), turn()], [undefined, undefined, { notice: undefined }]);
  clock.now += 61_000;
  t.equal(turn(), undefined);
  limits.addUsage(ALICE, 100);
  t.match(turn(), { notice: /come back tomorrow/ });
});

// [promise-limit-messages] [promise-limit-tokens]
t.test('a question is refused when its payer has no tokens left, and a command is not', async (t) => {
  const { admission, limits, clock } = setUp();
  const at = new Date(clock.now);
  limits.addUsage(ALICE, 100);
  t.match(admission.question(ALICE, ALICE, at), { notice: /come back tomorrow/ });
  t.equal(admission.command('status', false, ALICE, at), undefined);
  t.match(admission.question(ALICE, ALICE, at), { notice: /wait a minute/ });
});

// [promise-stranger]
t.test('an approval does not cover messages from before it', async (t) => {
  const { admission, book, clock } = setUp();
  await book.approve(ALICE);
  const sender = Jid.parse(ALICE);
  t.equal(admission.direct(sender, { at: new Date(clock.now) }).allowed, true);
  t.equal(admission.direct(sender, { at: new Date(clock.now - 1) }).allowed, false);
});

// [promise-receipts] [promise-denied-silence]
t.test('a receipt goes only to those who are admitted, in a room by their real JID', async (t) => {
  const { admission, book } = setUp();
  await book.approve(ALICE);
  const there = rooms({ alice: ALICE, mallory: 'mallory@example.org' });
  const may = (who: string) => admission.mayLearnOfUs(Jid.parse(who), there);
  t.same([`${ALICE}/phone`, TEAM.toString(), `${TEAM.toString()}/alice`].map(may), [true, true, true]);
  t.same(['mallory@example.org/x', `${TEAM.toString()}/mallory`, `${TEAM.toString()}/hidden`].map(may), [
    false,
    false,
    false,
  ]);
  t.equal(may('example.org'), false, 'a server is nobody');
});

// [promise-rooms-same-person] [promise-room-users]
t.test('in a room the answer is only for those who may ask, and only for the occupant who asked', async (t) => {
  const { admission, denied } = setUp();
  const asked = (by: string): Place => ({ kind: 'room', to: TEAM, realJid: Jid.parse(by) });
  t.equal(admission.admits(asked(ALICE), rooms()), true);
  t.equal(admission.admits(asked('mallory@example.org'), rooms()), false);
  const alone: Place = { kind: 'private', to: TEAM.withResource('nick'), occupant: ALICE };
  t.equal(admission.isStillThere(alone, rooms({ nick: ALICE })), true);
  t.equal(admission.isStillThere(alone, rooms({ nick: 'mallory@example.org' })), false);
  t.same(denied, ["not in the room's users list", 'the recipient is no longer there']);
});

// [promise-limit-kept]
t.test('the ledger keeps a bounded number of payers in memory, and the largest sums on disk', async (t) => {
  const storage = memoryStorage();
  const now = () => new Date(2026, 2, 1, 12);
  const ledger = ledgerOf(storage, now);
  for (let count = 0; count <= 10_000; count++) ledger.add(`payer-${count}@example.org`, count);
  t.equal(ledger.list().length, 10_000);
  t.equal(ledger.of('payer-0@example.org'), 0, 'the oldest is forgotten');
  await ledger.flush();
  const next = ledgerOf(storage, now);
  await next.load();
  t.same([next.list().length, next.list()[0]?.tokens, next.list().at(-1)?.tokens], [1_000, 10_000, 9_001]);
});
