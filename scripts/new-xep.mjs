/**
 * `npm run new:xep -- 0490 "Message Displayed Synchronization"`: lays the files of an extension: its module, its test, and its line in src/xeps/index.ts.
 * CONTRIBUTING.md ("Add a XEP in seven steps") says what to do with them.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';

const INDEX = 'src/xeps/index.ts';

try {
  const xep = readArguments(process.argv.slice(2));
  const files = { [xep.module]: moduleOf(xep), [xep.test]: testOf(xep), [INDEX]: indexWith(xep) };
  // Loaded when there is something to format: it takes longer than everything else here.
  const { format, resolveConfig } = await import('prettier');
  for (const [path, text] of Object.entries(files)) {
    writeFileSync(path, await format(text, { ...(await resolveConfig(path)), filepath: path }));
    process.stdout.write(`${path}\n`);
  }
  process.stdout.write(`Next: read ${xep.link}, then step 2 of "Add a XEP in seven steps" in CONTRIBUTING.md.\n`);
} catch (error) {
  process.stderr.write(`new:xep: ${error.message}\n`);
  process.exitCode = 1;
}

/** The names of everything that belongs to the extension. @throws Error that says what is wrong with the arguments */
function readArguments([number = '', title = '', ...others]) {
  const example = 'npm run new:xep -- 0490 "Message Displayed Synchronization"';
  if (others.length > 0) throw new Error(`put the title in quotes: ${example}`);
  if (!/^\d{4}$/.test(number)) throw new Error(`'${number}' is not the four digits of a XEP: ${example}`);
  if (title.trim() === '') throw new Error(`XEP-${number} needs its title, as the specification spells it: ${example}`);
  const words = title.match(/[a-z0-9]+/gi) ?? [];
  if (!/^[a-z]/i.test(words[0] ?? ''))
    throw new Error(`no name can be made of '${title}': it has to begin with a letter`);

  const slug = words.join('-').toLowerCase();
  const taken = readdirSync('src/xeps').find((name) => name.startsWith(`xep-${number}-`));
  if (taken !== undefined) throw new Error(`XEP-${number} is there already: src/xeps/${taken}`);
  const pascal = words.map((word) => word[0].toUpperCase() + word.slice(1).toLowerCase()).join('');
  const plugin = pascal[0].toLowerCase() + pascal.slice(1);
  for (const name of [plugin, pascal])
    if (isExported(name))
      throw new Error(`another module exports '${name}': give it a longer title, and correct its header afterwards`);
  return {
    number,
    title: title.trim(),
    slug,
    plugin,
    type: pascal,
    namespace: `NS_${slug.replaceAll('-', '_').toUpperCase()}`,
    link: `https://xmpp.org/extensions/xep-${number}.html`,
    module: `src/xeps/xep-${number}-${slug}.ts`,
    test: `test/xeps/xep-${number}-${slug}.test.ts`,
  };
}

function isExported(name) {
  const files = readdirSync('src/xeps', { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.ts'));
  return files.some((path) =>
    new RegExp(`^export .*\\b${name}\\b`, 'm').test(readFileSync(`src/xeps/${path}`, 'utf8')),
  );
}

function moduleOf({ number, title, link, slug, plugin, type, namespace }) {
  return `/**
 * XEP-${number} ${title}, 0.0.0 (Experimental). ${link}
 *
 * TODO: what it does here, and what is not obvious about it, with the sections (§3).
 *
 * Left out: TODO, or remove this paragraph.
 */
import { definePlugin, senders } from '../xmpp-core/plugin.js';
import type { Message } from '../xmpp-core/stanza/stanzas.js';
import { el, type Element } from '../xmpp-core/xml/element.js';

export const ${namespace} = 'urn:xmpp:TODO:0';

/** TODO: what the payload says (§3). */
export interface ${type} {
  readonly id: string;
}

/** The payload of a message; \`undefined\` when there is none that makes sense. */
export function read${type}(message: Element): ${type} | undefined {
  const id = message.child('payload', ${namespace})?.attr('id');
  return id === undefined ? undefined : { id };
}

/** The payload for a message. */
export function write${type}({ id }: ${type}): Element {
  return el('payload', ${namespace}, { id });
}

/** TODO: what came in, and with which message. */
export interface Received${type} extends ${type} {
  readonly message: Message;
}

/** TODO: what the plugin does. */
export const ${plugin} = definePlugin({
  name: '${slug}',
  xep: ${Number(number)},
  features: [${namespace}],
  setup(context) {
    const events = context.events<{ received: Received${type} }>();
    // TODO: who may say this? Anyone is right only where a forgery does no harm. For PEP begin with what XEP-0490 or XEP-0172 does instead.
    context.onMessage({ ns: ${namespace}, name: 'payload' }, senders.anyone, (_payload, message) => {
      const received = read${type}(message.element);
      if (received !== undefined) events.emit('received', { ...received, message });
    });
    return { events };
  },
});
`;
}

function testOf({ number, slug, plugin, type, namespace }) {
  return `import t from 'tap';
import {
  ${namespace},
  ${plugin},
  read${type},
  write${type},
} from '../../src/xeps/xep-${number}-${slug}.js';
import { NS_CLIENT } from '../../src/xmpp-core/stanza/namespaces.js';
import { writeMessage } from '../../src/xmpp-core/stanza/stanzas.js';
import { el } from '../../src/xmpp-core/xml/element.js';
import { PATIENCE_MS, startLoopback } from '../support/loopback.js';

// [XEP-${number} §3]
t.test('a payload is read as it was written, and anything else is not', async (t) => {
  const payload = { id: 'a' };
  t.strictSame(read${type}(el('message', NS_CLIENT, {}, write${type}(payload))), payload);
  t.equal(read${type}(el('message', NS_CLIENT, {})), undefined);
  t.equal(read${type}(el('message', NS_CLIENT, {}, el('payload', ${namespace}))), undefined);
  t.fail('TODO: the payloads of the specification, and what a peer may send instead');
});

// [XEP-${number} §4]
t.test('a payload that comes in is an event', async (t) => {
  const { online } = await startLoopback(t);
  const ann = await online('ann', { plugins: [${plugin}] });
  const bob = await online('bob');
  const received = ann.get(${plugin}).events.once('received', { timeoutMs: PATIENCE_MS });
  const payloads = [write${type}({ id: 'a' })];
  bob.send(writeMessage({ to: ann.jid ?? ann.account, type: 'chat', payloads }));
  t.match(await received, { id: 'a', message: { from: bob.jid } });
  t.fail('TODO: whoever must not say this is not listened to');
});
`;
}

/** src/xeps/index.ts with the module among the others, by number. */
function indexWith({ number, slug }) {
  if (!existsSync(INDEX)) throw new Error(`there is no ${INDEX}: run this in the root of the project`);
  const lines = readFileSync(INDEX, 'utf8').split('\n');
  const numberOf = (line) => /^export \* from '\.\/xep-(\d{4})-/.exec(line)?.[1];
  const last = lines.findLastIndex((line) => (numberOf(line) ?? '9999') < number);
  if (last < 0) throw new Error(`${INDEX} exports no modules`);
  return lines.toSpliced(last + 1, 0, `export * from './xep-${number}-${slug}.js';`).join('\n');
}
