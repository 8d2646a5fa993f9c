import t from 'tap';
import {
  type Access,
  directAccess,
  isOperator,
  isOperatorIn,
  roomAccess,
  roomMessageAccess,
} from '../../../../src/agent/channel/access/rules.js';
import { readAddressing } from '../../../../src/agent/channel/inbound/addressing.js';
import { payerAt } from '../../../../src/agent/channel/places/identities.js';
import type { MentionMode, Policy } from '../../../../src/agent/config/config.js';
import { JidPattern } from '../../../../src/agent/config/jid-pattern.js';
import { Jid } from '../../../../src/xmpp-core/jid/jid.js';

const bot = Jid.parse('bot@home.example');
const patterns = (...texts: string[]): JidPattern[] => texts.map((text) => JidPattern.parse(text));
const jid = (text: string | undefined): Jid | undefined => Jid.tryParse(text);
/** `yes`, or the rule that denies. */
const verdict = (access: Access): string => (access.allowed ? 'yes' : access.rule);

// [pitfall-wildcard-full-jid] [promise-dm-policy] [promise-allowlist] [promise-operators]
t.test('answers direct messages by dm_policy', async (t) => {
  const operators = [Jid.parse('boss@example.com')];
  const allowlist = patterns('alice@example.com', '*@trusted.org', 'bot-*@*.example.net');
  const cases: [promise: string, policy: Policy, sender: string | undefined, expected: string][] = [
    ['open: anyone', 'open', 'anyone@anywhere.example/x', 'yes'],
    ['open: even one whom a room hides', 'open', undefined, 'yes'],
    ['disabled: nobody', 'disabled', 'alice@example.com', 'policy'],
    ['disabled: not even operators', 'disabled', 'boss@example.com', 'policy'],
    ['allowlist: who is on it, from any client', 'allowlist', 'Alice@Example.COM/phone', 'yes'],
    ['allowlist: a whole domain', 'allowlist', 'who@trusted.org', 'yes'],
    ['allowlist: stars in both parts', 'allowlist', 'bot-1@a.example.net', 'yes'],
    ['allowlist: operators', 'allowlist', 'boss@example.com/desk', 'yes'],
    ['allowlist: nobody else', 'allowlist', 'mallory@example.com', 'list'],
    ['allowlist: no domain that only ends alike', 'allowlist', 'who@nottrusted.org', 'list'],
    ['allowlist: no domain that only begins alike', 'allowlist', 'who@trusted.org.evil.example', 'list'],
    ['allowlist: no resource that looks like a listed JID', 'allowlist', 'evil@x.example/@trusted.org', 'list'],
    ['allowlist: no server, for a star is someone', 'allowlist', 'trusted.org', 'list'],
    ['allowlist: no one whom a room hides', 'allowlist', undefined, 'hidden'],
  ];
  for (const [promise, dmPolicy, sender, expected] of cases) {
    t.equal(verdict(directAccess({ jid: bot, dmPolicy, allowlist, operators }, jid(sender))), expected, promise);
  }
});

// [promise-allowlist]
t.test('an empty allowlist lets nobody in', async (t) => {
  const account = { jid: bot, dmPolicy: 'allowlist', allowlist: [], operators: [] } as const;
  t.equal(verdict(directAccess(account, jid('alice@example.com'))), 'list');
});

t.test('compares approved JIDs exactly: approving *@… admits nobody else', async (t) => {
  const account = { jid: bot, dmPolicy: 'allowlist', allowlist: [], operators: [] } as const;
  const approved = new Set(['*@evil.example', 'carol@example.com']);
  t.equal(verdict(directAccess(account, jid('carol@example.com/x'), approved)), 'yes');
  t.equal(verdict(directAccess(account, jid('other@evil.example'), approved)), 'list');
});

// [pitfall-wildcard-full-jid] [pitfall-nickname-as-identity] [promise-operators]
t.test('recognises operators by their bare JID; a hidden JID is never an operator', async (t) => {
  const account = { operators: [Jid.parse('boss@example.com')] };
  t.equal(isOperator(account, jid('boss@example.com/desk')), true);
  t.equal(isOperator(account, jid('example.com/boss@example.com')), false);
  t.equal(isOperator(account, jid('boss@example.com.evil.example')), false);
  t.equal(isOperator(account, undefined), false);
});

// [promise-operators]
t.test('trusts a room about operators only on the bot’s own server and on the operator’s', async (t) => {
  const account = {
    jid: bot,
    dmPolicy: 'allowlist',
    groupPolicy: 'allowlist',
    allowlist: patterns('alice@example.com'),
    groupAllowlist: [],
    operators: [Jid.parse('boss@example.com')],
  } as const;
  const boss = Jid.parse('boss@example.com/desk');
  const rooms: [room: string, isTrusted: boolean][] = [
    ['team@conference.example.com', true],
    ['team@example.com', true],
    ['team@rooms.home.example', true],
    ['team@conference.evil.example', false],
    ['team@evilexample.com', false],
    ['team@example.com.evil.example', false],
    ['team@com', false],
  ];
  for (const [name, isTrusted] of rooms) {
    const room = Jid.parse(name);
    const settings = { jid: room, enabled: true, users: patterns(), mentionMode: 'always' } as const;
    t.equal(isOperatorIn(account, room, boss), isTrusted, name);
    t.equal(verdict(directAccess(account, boss, new Set(), room)), isTrusted ? 'yes' : 'list', name);
    const said = roomMessageAccess(account, settings, { sender: boss, addressed: true });
    t.equal(verdict(said), isTrusted ? 'yes' : 'list', name);
    const alice = Jid.parse('alice@example.com/phone');
    t.equal(verdict(directAccess(account, alice, new Set(), room)), 'yes', 'for the allowlist the room is trusted');
    t.equal(isOperatorIn(account, room, alice), false);
    t.equal(isOperatorIn(account, room, undefined), false);
  }
});

// [promise-limit-messages] [promise-limit-tokens]
t.test(
  'a new nick is no new budget: private messages count for the person, else the occupant, else the room',
  async (t) => {
    const payer = (nick: string, occupant?: string, realJid?: string): string =>
      payerAt({
        kind: 'private',
        to: Jid.parse(`team@rooms.example/${nick}`),
        ...(occupant === undefined ? {} : { occupant }),
        ...(realJid === undefined ? {} : { realJid: Jid.parse(realJid) }),
      });
    for (const nick of ['one', 'two']) {
      t.equal(payer(nick, 'team@rooms.example occupant x', 'alice@example.com'), 'alice@example.com');
      t.equal(payer(nick, 'team@rooms.example occupant x'), 'team@rooms.example occupant x');
      t.equal(payer(nick, `team@rooms.example stay ${nick}`), 'team@rooms.example');
      t.equal(payer(nick), 'team@rooms.example');
    }
    t.equal(payerAt({ kind: 'direct', to: Jid.parse('alice@example.com') }), 'alice@example.com');
  },
);

interface RoomCase {
  readonly groupPolicy?: Policy;
  readonly groupAllowlist?: string[];
  readonly enabled?: boolean;
  readonly users?: string[];
  readonly mentionMode?: MentionMode;
  readonly sender?: string;
  readonly addressed?: boolean;
}

function roomVerdict(facts: RoomCase): string {
  const account = {
    jid: bot,
    groupPolicy: facts.groupPolicy ?? 'open',
    groupAllowlist: patterns(...(facts.groupAllowlist ?? [])),
    operators: [Jid.parse('boss@example.com')],
  };
  const room = {
    jid: Jid.parse('team@conference.example.com'),
    enabled: facts.enabled ?? true,
    users: facts.users && patterns(...facts.users),
    mentionMode: facts.mentionMode ?? 'mention',
  };
  return verdict(roomMessageAccess(account, room, { sender: jid(facts.sender), addressed: facts.addressed ?? true }));
}

// [pitfall-nickname-as-identity] [promise-room-order] [promise-room-users] [promise-mention-mode]
t.test(
  'a room message is judged by group_policy, the room, its users and the mention rule, in this order',
  async (t) => {
    const alice = 'alice@example.com/phone';
    const boss = 'boss@example.com/desk';
    const cases: [promise: string, facts: RoomCase, expected: string][] = [
      ['open, addressed', { sender: alice }, 'yes'],
      ['open, addressed, hidden', {}, 'yes'],
      ['group_policy disabled', { groupPolicy: 'disabled', sender: boss, mentionMode: 'always' }, 'policy'],
      [
        'a room on the list',
        { groupPolicy: 'allowlist', groupAllowlist: ['team@*.example.com'], sender: alice },
        'yes',
      ],
      ['a room not on the list', { groupPolicy: 'allowlist', groupAllowlist: ['other@*'], sender: alice }, 'list'],
      ['an empty list is no room', { groupPolicy: 'allowlist', sender: alice }, 'list'],
      [
        'the list of people is not for rooms',
        { groupPolicy: 'allowlist', groupAllowlist: ['alice@*'], sender: alice },
        'list',
      ],
      ['an operator in a room not on the list', { groupPolicy: 'allowlist', sender: boss }, 'yes'],
      ['a room that is off', { enabled: false, sender: alice }, 'policy'],
      ['a room that is off, an operator', { enabled: false, sender: boss }, 'policy'],
      ['a user of the room', { users: ['alice@example.com'], sender: alice }, 'yes'],
      ['no user of the room', { users: ['bob@example.com'], sender: alice }, 'list'],
      ['an empty list of users', { users: [], sender: alice }, 'list'],
      ["the room's own JID is no user", { users: ['team@conference.example.com'], sender: alice }, 'list'],
      ['a hidden user', { users: ['alice@example.com'] }, 'hidden'],
      ['an operator is every room’s user', { users: [], sender: boss }, 'yes'],
      ['not addressed', { sender: alice, addressed: false }, 'mention'],
      ['not addressed, an operator', { sender: boss, addressed: false }, 'mention'],
      ['not addressed where every message counts', { mentionMode: 'always', sender: alice, addressed: false }, 'yes'],
      ['addressed where none counts', { mentionMode: 'none', sender: alice }, 'mention'],
      ['policy before room', { groupPolicy: 'allowlist', enabled: false, sender: alice }, 'list'],
      ['room before users', { enabled: false, users: [], sender: alice }, 'policy'],
      ['users before mention', { users: [], sender: alice, addressed: false }, 'list'],
    ];
    for (const [promise, facts, expected] of cases) t.equal(roomVerdict(facts), expected, promise);
  },
);

t.test('a room is joined when policy and room allow it, or an operator invites', async (t) => {
  const operators = [Jid.parse('boss@example.com')];
  const room = { jid: Jid.parse('team@conference.example.com'), enabled: true };
  const listed = { groupPolicy: 'allowlist', groupAllowlist: patterns('*@conference.example.com'), operators } as const;
  const unlisted = { ...listed, groupAllowlist: [] };
  t.equal(verdict(roomAccess(listed, room)), 'yes');
  t.equal(verdict(roomAccess(listed, { ...room, enabled: false })), 'policy');
  t.equal(verdict(roomAccess(unlisted, room)), 'list');
  t.equal(verdict(roomAccess(unlisted, room, jid('mallory@example.com'))), 'list');
  t.equal(verdict(roomAccess(unlisted, room, jid('boss@example.com/desk'))), 'yes');
});

const names = ['bot', 'moltis', 'assistant', 'assistant@example.com'];

function read(text: string, otherNicks: string[] = [], own: string[] = names): { addressed: boolean; text: string } {
  return readAddressing(text, { names: own, otherNicks, pointedAt: false });
}

// [promise-mention-what]
t.test('a text addresses the bot when one of its names stands in it as a whole word', async (t) => {
  const yes = [
    [
      'bot',
      'bot do it',
      'bot: do it',
      'bot, do it',
      '@bot do it',
      'hey @Bot!',
      'BOT?',
      'thanks bot.',
      '(bot)',
      '*bot*',
    ],
    ['ask moltis', 'is assistant here', 'assistant@example.com: hi', 'xmpp:assistant@example.com', 'hey,bot,hello'],
    ["bot's idea", 'bot你好', '🤖bot🤖', 'a\nbot\nb', 'bot:do it', '>_< bot', 'bot…'],
  ].flat();
  const no = [
    ['robots', 'robot', 'bots', 'abot', 'bot2', 'bot_2', 'bót', 'bot\u0301', '', ' ', 'Botswana', 'боt'],
    ['bot-2: hi', 'chat-bot', 'bot.txt', 'my.bot', 'https://example.com/bot', 'https://x.example/?a=bot', 'bot/x'],
    ['bot@elsewhere.org', 'me@bot', 'assistant@example.com.evil.example', 'assistant@example.community'],
    ['> bot: said', '> bot\n> moltis\nyes', 'well\n> bot said\nno', '>> bot'],
  ].flat();
  for (const text of yes) t.equal(read(text).addressed, true, JSON.stringify(text));
  for (const text of no) t.equal(read(text).addressed, false, JSON.stringify(text));
});

// [promise-mention-what]
t.test('names of any script are found, without regard to case', async (t) => {
  const cases: [name: string, text: string, addressed: boolean][] = [
    ['Бот', 'привет, БОТ!', true],
    ['Бот', 'работа', false],
    ['ΣΊΣΥΦΟΣ', 'σίσυφος: γεια', true],
    ['Zoë', 'ZOE\u0308, bitte', true],
    ['Zoe\u0308', 'Zoë, bitte', true],
    ['ボット', 'ねえボット、元気?', true],
    ['ボット', 'ロボットが好き', false],
    ['ボット', 'ロボットが好き'.repeat(300), false],
    ['ボット', `${'ロボットが好き'.repeat(300)}、ボット`, true],
    ['小助手', '小助手你好', true],
    ['小明', '小明,帮帮我', true],
    ['小明', '他是小明星', false],
    ['بوت', 'مرحبا بوت', true],
    ['بوت', 'روبوتات', false],
    ['🤖', 'hi 🤖', true],
    ['Help Bot', 'help  bot: hi', true],
    ['c++ (bot)', 'C++ (BOT), hi', true],
    ['bot', 'ｂｏｔ', false],
  ];
  for (const [name, text, addressed] of cases)
    t.equal(read(text, [], [name]).addressed, addressed, `${name} in ${text}`);
});

// [promise-mention-taken]
t.test('a name that another occupant has as nick is not ours', async (t) => {
  t.equal(read('moltis: hi', ['Moltis']).addressed, false);
  t.equal(read('moltis: hi', ['Moltis']).text, 'moltis: hi', 'and their address stays in the text');
  t.equal(read('strasse: hi', ['Straße'], ['strasse']).addressed, false, 'in whatever case');
  t.equal(read('bot: hi', ['Moltis']).addressed, true, 'our other names are');
  t.equal(read('bot two: hi', ['Bot Two']).addressed, false, 'nor is a name within their longer one');
  t.equal(read('@bot two hi', ['Bot Two']).text, '@bot two hi');
  t.equal(read('bot two and bot', ['Bot Two']).addressed, true);
  t.equal(read('- any  one!', [], ['', ' ']).addressed, false, 'a blank name is none');
});

// [promise-mention-what]
t.test('a reply or a reference to the bot addresses it', async (t) => {
  t.strictSame(readAddressing('and now?', { names, otherNicks: [], pointedAt: true }), {
    addressed: true,
    text: 'and now?',
  });
});

t.test('the model sees the whole text, except a leading address', async (t) => {
  const cases: [text: string, seen: string][] = [
    ['bot: do X', 'do X'],
    ['Bot, do X', 'do X'],
    ['@bot do X', 'do X'],
    ['@bot: do X', 'do X'],
    ['bot：做', '做'],
    ['assistant@example.com: do X', 'do X'],
    ['  bot:  do\n  X', 'do\n  X'],
    ['bot:\n> said\nwhat?', '> said\nwhat?'],
    ['> said\nbot: do X', '> said\ndo X'],
    ['bot is slow today', 'bot is slow today'],
    ['do X, bot', 'do X, bot'],
    ['hey bot: do X', 'hey bot: do X'],
    ["@bot's idea", "@bot's idea"],
    ['bot:', 'bot:'],
    ['@bot', '@bot'],
    ['alice: ask bot', 'alice: ask bot'],
    ['bot: /new', '/new'],
  ];
  for (const [text, seen] of cases) t.equal(read(text).text, seen, JSON.stringify(text));
});
