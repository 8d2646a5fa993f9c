/** From what was said in one recording to what will be said in each replay: what differs from run to run gets a name (docs/fixtures.md). */
import type { Item } from '../xml-tree.js';
import type { StepKind } from '../scenario.js';

/** Something that was seen, in its order. */
export interface Sighting {
  readonly kind: StepKind;
  /** Of a client's or server's step. */
  readonly item?: Item;
  /** What was said, told or done. */
  readonly text: string;
  /** What has the same number was sent at once. */
  readonly write?: number;
}

/** Values that were seen and what stands for them: `{id:3}`, or the id itself where the plan knows it. */
export type Names = ReadonlyMap<string, string>;

/** What differs by where the recording was made. */
export interface Place {
  /** The port of uploads and the like at `localhost`. */
  readonly httpsPort: number;
  /** The plan's own words: an id that it gives stays. */
  readonly plan: string;
  /** Names that stand for something else already. */
  readonly taken: ReadonlySet<string>;
  /** The resource that the client asks for. */
  readonly resource: string | undefined;
}

/** No character of XML: they stand for the braces of a placeholder until those of the text are doubled. */
const OPEN = '\u0001';
const CLOSE = '\u0002';

const NS_SASL = 'urn:ietf:params:xml:ns:xmpp-sasl';
const NS_SASL2 = 'urn:xmpp:sasl:2';

/** A value that somebody made up by chance: 128 bits as base64url, or a UUID. It fills an attribute or a text. */
const RANDOM = /(?<=["'>])(?:[\w-]{22}|[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})(?=["'<])/gi;
const STANZA_ID = /^<(?:message|presence|iq)\b[^>]*?\sid=(["'])(.*?)\1/;
const ANY_ID = /\sid=(["'])(.*?)\1/g;
const USER_AGENT = /<user-agent\b[^>]*?\sid=(["'])(.*?)\1/;
const CAPS = /<c\b[^>]*xmlns=["']http:\/\/jabber\.org\/protocol\/caps["'][^>]*>/;
const CAPS_2 = /<c\b[^>]*xmlns=["']urn:xmpp:caps["'].*?<\/c>/;
const HASH = /<hash\b[^>]*>([^<]+)</g;
/** What an archive or a room calls a message (XEP-0359 §3, XEP-0313 §3.2). */
const ARCHIVE_ID = /<(?:stanza-id|result)\b(?=[^>]*xmlns=["']urn:xmpp:(?:sid:0|mam:2)["'])[^>]*?\sid=(["'])(.*?)\1/g;
/** What a room calls an occupant (XEP-0421 §3): another in each run, and the same for all of it. */
const OCCUPANT_ID = /<occupant-id\b(?=[^>]*xmlns=["']urn:xmpp:occupant-id:0["'])[^>]*?\sid=(["'])(.*?)\1/;
/** The key to a session that can be resumed (XEP-0198 §3). */
const SESSION = /<enabled\b(?=[^>]*xmlns=["']urn:xmpp:sm:3["'])[^>]*?\sid=(["'])(.*?)\1/;
/** What somebody calls the run of a command (XEP-0050 §3.3); to some it is a time. */
const COMMAND_SESSION = /<command\b[^>]*?\ssessionid=(["'])(.*?)\1/;
/** The resource that the client was given (RFC 6120 §7, XEP-0388 §4.4). */
const RESOURCE = /<(?:jid|authorization-identifier)>[^/<]*\/([^<]+)</;
const TOKEN = /<token\b[^>]*?\stoken=(["'])(.*?)\1/;
const TIME_ANYWHERE = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/g;
const TIME = /(?<=["'>])\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)(?=["'<])/g;

/**
 * Finds what the client made up, and what the server gave it that a plan may speak of, and names each: `{id:1}`, `{token:1}`, `stanza-1`.
 * @param seen all of a run, from its beginning
 * @param names what is named already
 */
export function nameValues(
  seen: readonly Sighting[],
  { plan, taken, resource: wished }: Place,
  names: Names = new Map(),
): Names {
  const all = new Map(names);
  const used = new Set([...taken, ...[...names.values()].map(braces)]);
  /** What the server said first: that is its own when the client repeats it. */
  const servers = new Set<string>();
  const give = (value: string | undefined, base: string, form: (name: string) => string = placeholder): void => {
    if (value === undefined || value === '' || all.has(value) || servers.has(value) || plan.includes(value)) return;
    let number = 1;
    while (used.has(braces(form(`${base}${number}`)))) number += 1;
    const name = form(`${base}${number}`);
    all.set(value, name);
    used.add(braces(name));
  };
  /** One that the client asked for stays. */
  const nameResource = (resource: string | undefined): void => {
    if (resource !== wished) give(resource, `${wished ?? 'resource'}~`, itself);
  };
  for (const { kind, item } of seen) {
    if (item === undefined) continue;
    const { text } = item;
    if (kind === 'C') {
      give(USER_AGENT.exec(text)?.[2], 'user-agent:');
      const [caps = ''] = CAPS.exec(text) ?? [];
      give(/\sver=(["'])(.*?)\1/.exec(caps)?.[2], 'caps:');
      give(/\snode=(["'])(.*?)\1/.exec(caps)?.[2], 'caps-node:');
      for (const [, value] of (CAPS_2.exec(text)?.[0] ?? '').matchAll(HASH)) give(value, 'caps-hash:');
      give(STANZA_ID.exec(text)?.[2], 'id:');
      for (const [value] of text.matchAll(RANDOM)) give(value, 'id:');
    } else {
      give(TOKEN.exec(text)?.[2], 'token:');
      for (const match of text.matchAll(ARCHIVE_ID)) give(match[2], 'stanza-', itself);
      give(OCCUPANT_ID.exec(text)?.[2], 'occupant-', itself);
      for (const session of [SESSION, COMMAND_SESSION]) give(session.exec(text)?.[2], 'session-', itself);
      if (item.tree.name === 'iq' || item.tree.name === 'success') nameResource(RESOURCE.exec(text)?.[1]);
      for (const match of text.matchAll(ANY_ID)) servers.add(match[2] ?? '');
      for (const [value] of text.matchAll(RANDOM)) servers.add(value);
    }
  }
  return all;
}

/** The words of a step of the plan as they are to be said in this run. */
export function fillIn(text: string, names: Names): string {
  let filled = text;
  for (const [value, name] of names) filled = filled.replaceAll(wholeWord(braces(name)), () => value);
  return filled;
}

/** What was seen, as a scenario says it. */
export function generalise({ kind, item, text }: Sighting, names: Names, { httpsPort, plan }: Place): string {
  let general = text.replaceAll('{', '{{');
  if (item !== undefined) general = withoutSasl(general, item);
  for (const [value, name] of names) {
    if (general.includes(value)) general = general.replaceAll(wholeWord(value), () => name);
  }
  if (kind === 'C') general = clientsOwn(general, plan);
  if (kind === 'S') general = serversOwn(general);
  return braces(general.replaceAll(`https://localhost:${httpsPort}`, 'https://upload.example.org'));
}

/** What is not the client's choice alone, nor worth comparing: times that nobody asked for, and what it calls itself. */
function clientsOwn(text: string, plan: string): string {
  const planned = new Set([...plan.matchAll(TIME_ANYWHERE)].map(([time]) => Date.parse(time)));
  return (
    text
      .replace(/^<\?xml[^>]*\?>\s*/, '')
      .replace(/^(<(?:stream:stream|open)\b[^>]*?\sxml:lang=)(["']).*?\2/, `$1$2${placeholder('?')}$2`)
      // RFC 6120 §4.7.1: a client may say who it is.
      .replace(/^(<(?:stream:stream|open)\b[^>]*?\sfrom=)(["']).*?\2/, `$1$2${placeholder('?')}$2`)
      .replace(/<user-agent\b.*?<\/user-agent>/, (agent) => openTexts(agent, ['software', 'device']))
      .replace(/<query\b[^>]*xmlns=["']jabber:iq:version["'].*?<\/query>/, (query) =>
        openTexts(query, ['name', 'version', 'os'], plan),
      )
      .replace(/<time\b[^>]*xmlns=["']urn:xmpp:time["'].*?<\/time>/, (time) => openTexts(time, ['tzo']))
      .replaceAll(TIME, (time) => (planned.has(Date.parse(time)) ? time : placeholder('time')))
  );
}

/** Secrets that were good for this server only, and a day that would be over at the replay. */
function serversOwn(text: string): string {
  return text
    .replaceAll(/(<header\b[^>]*>)(Bearer )?[^<]*(?=<\/header>)/g, '$1$2token')
    .replace(/(<token\b[^>]*?\sexpiry=)(["']).*?\2/, '$1$22099-01-01T00:00:00Z$2');
}

/** @param plan what it says stays */
function openTexts(xml: string, names: readonly string[], plan = ''): string {
  return xml.replaceAll(
    new RegExp(`(<(?:${names.join('|')})\\b[^>]*>)([^<]+)(?=<)`, 'g'),
    (whole, tag: string, text: string) => (plan.includes(text) ? whole : tag + placeholder('*')),
  );
}

/** Messages of a SASL exchange are computed anew each time (RFC 6120 §6, XEP-0388). */
function withoutSasl(text: string, { tree: { ns, name } }: Item): string {
  const carriers = carriersOfSasl(ns, name);
  if (carriers === '') return text;
  return text.replace(
    new RegExp(`(<(?:${carriers})\\b[^>]*>)([^<]+)(?=<)`),
    (_, tag: string, payload: string) => tag + placeholder(saslOf(name, payload)),
  );
}

/** XEP-0474: a challenge can have a hash of what the server offered. */
function saslOf(name: string, payload: string): string {
  const hasHash = name === 'challenge' && /,h=/.test(Buffer.from(payload, 'base64').toString());
  return hasHash ? 'sasl:downgrade-hash' : 'sasl';
}

function carriersOfSasl(ns: string, name: string): string {
  if (ns === NS_SASL) return ['auth', 'challenge', 'response', 'success'].includes(name) ? name : '';
  if (ns !== NS_SASL2) return '';
  if (name === 'authenticate') return 'initial-response';
  if (name === 'success') return 'additional-data';
  return ['challenge', 'response'].includes(name) ? name : '';
}

function itself(name: string): string {
  return name;
}

function placeholder(name: string): string {
  return `${OPEN}${name}${CLOSE}`;
}

function braces(text: string): string {
  return text.replaceAll(OPEN, '{').replaceAll(CLOSE, '}');
}

/** The value where it is not part of a longer one. */
function wholeWord(value: string): RegExp {
  return new RegExp(`(?<![\\w-])${value.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`)}(?![\\w-])`, 'g');
}
