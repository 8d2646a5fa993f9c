/** What one asks of other entities, and is asked by them: what they are and can do, and their commands. */
import { answerForm, formType, readDataForm, submitForm } from '../../../src/xeps/xep-0004-data-forms.js';
import { type DiscoInfo, serviceDiscovery } from '../../../src/xeps/xep-0030-service-discovery.js';
import { privateXml } from '../../../src/xeps/xep-0049-private-xml.js';
import { adHocCommands, type CommandAction, type RunningCommand } from '../../../src/xeps/xep-0050-ad-hoc-commands.js';
import { vcard } from '../../../src/xeps/xep-0054-vcard-temp.js';
import { softwareVersion } from '../../../src/xeps/xep-0092-software-version.js';
import { entityCapabilities } from '../../../src/xeps/xep-0115-entity-capabilities.js';
import { vcardAvatars } from '../../../src/xeps/xep-0153-vcard-avatars.js';
import { contactAddresses } from '../../../src/xeps/xep-0157-contact-addresses.js';
import { entityTime } from '../../../src/xeps/xep-0202-entity-time.js';
import { entityCapabilities2 } from '../../../src/xeps/xep-0390-entity-capabilities-2.js';
import { XmppError } from '../../../src/xmpp-core/errors.js';
import { Jid } from '../../../src/xmpp-core/jid/jid.js';
import { parseElement } from '../../../src/xmpp-core/xml/stream-parser.js';
import type { Asked } from './asked.js';
import { formItems, list, time, type Extensions, type Fields } from './extension.js';

const COMMAND_ACTIONS = ['execute', 'cancel', 'prev', 'next', 'complete'] as const satisfies readonly CommandAction[];

export const entityExtensions: Extensions = {
  'XEP-0030': {
    plugins: [serviceDiscovery],
    attach({ client }) {
      const disco = client.get(serviceDiscovery);
      return {
        async 'disco-info'(asked, item) {
          tellInfo(await disco.info(asked.needJid('to'), nodeOf(asked)), item);
        },
        async 'disco-items'(asked, item) {
          for (const { jid, node, name } of await disco.items(asked.needJid('to'), nodeOf(asked)))
            item({ jid: jid.toString(), node, name });
        },
        'disco-announce': (asked) => void disco.announce(asked.need('feature')),
      };
    },
  },
  'XEP-0049': {
    plugins: [privateXml],
    attach({ client }) {
      const data = client.get(privateXml);
      return {
        async 'private-get'(asked) {
          const found = await data.get(asked.need('name'), asked.need('namespace'));
          return { children: found.children().length };
        },
        'private-set': async (asked) => data.set(parseElement(asked.need('payload'))),
      };
    },
  },
  'XEP-0050': {
    plugins: [adHocCommands],
    attach({ client, tell }) {
      const commands = client.get(adHocCommands);
      const running = new Map<string, RunningCommand>();
      const told = (command: RunningCommand, item: (fields: Fields) => void): Fields => {
        const { node, sessionId, status, actions, notes, form } = command;
        running.set(node, command);
        for (const { type, text } of notes) item({ note: type, text });
        for (const fields of formItems(form)) item(fields);
        return { node, session: sessionId, status, actions: list(actions ?? []) };
      };
      return {
        async commands(asked, item) {
          for (const { jid, node, name } of await commands.list(asked.needJid('to')))
            item({ jid: jid.toString(), node, name });
        },
        execute: async (asked, item) => told(await commands.execute(asked.needJid('to'), asked.need('node')), item),
        async 'command-act'(asked, item) {
          const command = running.get(asked.need('node'));
          if (command === undefined) throw new XmppError('that command is not under way');
          const values = asked.form();
          const form = command.form === undefined ? submitForm(undefined, values) : answerForm(command.form, values);
          const action = asked.needWord('action', COMMAND_ACTIONS);
          const answer = action === 'cancel' || action === 'prev' ? undefined : form;
          return told(await (answer === undefined ? command.act(action) : command.act(action, answer)), item);
        },
        'command-offer'(asked) {
          const node = asked.need('node');
          const text = asked.text('text') ?? 'Done.';
          commands.offer({
            node,
            name: asked.need('name'),
            allowed: () => true,
            start({ requester }) {
              tell('command', { from: requester.toString(), node });
              return { notes: [{ type: 'info', text }] };
            },
          });
        },
      };
    },
  },
  'XEP-0054': {
    plugins: [vcard],
    attach({ client }) {
      const cards = client.get(vcard);
      return {
        async vcard(asked) {
          const card = await cards.fetch(asked.jid('of'));
          return {
            'full-name': card?.fullName,
            nickname: card?.nickname,
            description: card?.description,
            url: card?.url,
            'photo-type': card?.photo?.mediaType,
            'photo-bytes': card?.photo?.bytes.length,
          };
        },
        async 'vcard-publish'(asked) {
          const photo = asked.text('photo');
          const changes = {
            fullName: asked.text('full-name'),
            nickname: asked.text('nickname'),
            description: asked.text('description'),
            url: asked.text('url'),
            photo: photo === undefined ? undefined : Buffer.from(photo, 'base64'),
          };
          // What is not named stays as it is.
          await cards.publish(Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)));
        },
      };
    },
  },
  'XEP-0092': {
    plugins: [softwareVersion],
    attach({ client }) {
      const versions = client.get(softwareVersion);
      return {
        async version(asked) {
          const { name, version, os } = (await versions.of(asked.needJid('of'))) ?? {};
          return { name, version, os };
        },
        'version-tell'(asked) {
          const os = asked.text('os');
          versions.announce({
            name: asked.need('name'),
            version: asked.need('version'),
            ...(os === undefined ? {} : { os }),
          });
        },
      };
    },
  },
  'XEP-0115': {
    plugins: [entityCapabilities],
    attach({ client, tell }) {
      const capabilities = client.get(entityCapabilities);
      capabilities.events.on('changed', ({ entity }) => tell('capabilities', { from: entity.toString() }));
      return {
        async capabilities(asked, item) {
          tellInfo(await capabilities.of(asked.needJid('of')), item);
        },
        async supports(asked) {
          const isSo = await capabilities.supports(asked.needJid('of'), asked.need('feature'));
          return { supported: isSo ? 'yes' : 'no' };
        },
      };
    },
  },
  'XEP-0153': {
    plugins: [vcardAvatars],
    attach({ client, tell }) {
      const avatars = client.get(vcardAvatars);
      avatars.events.on('changed', ({ entity, hash }) =>
        tell('vcard-avatar', { from: entity.toString(), hash: typeof hash === 'string' ? hash : hash.sha1 }),
      );
      return {
        async 'vcard-avatar'(asked) {
          const photo = await avatars.fetch(asked.needJid('of'));
          return { type: photo?.mediaType, bytes: photo?.bytes.length };
        },
      };
    },
  },
  'XEP-0157': {
    plugins: [serviceDiscovery],
    attach({ client }) {
      return {
        async 'contact-addresses'(asked, item) {
          const server = asked.jid('of') ?? Jid.parse(client.account.domainpart);
          const addresses = contactAddresses(await client.get(serviceDiscovery).info(server));
          for (const [kind, uris] of addresses) item({ kind, uris: list(uris) });
        },
      };
    },
  },
  'XEP-0202': {
    plugins: [entityTime],
    attach({ client }) {
      return {
        async time(asked) {
          const { utc, offsetMinutes } = (await client.get(entityTime).of(asked.needJid('of'))) ?? {};
          return { utc: time(utc), 'offset-minutes': offsetMinutes };
        },
      };
    },
  },
  'XEP-0390': { plugins: [entityCapabilities2] },
};

function nodeOf(asked: Asked): { readonly node?: string } {
  const node = asked.text('node');
  return node === undefined ? {} : { node };
}

/** Identities, features and forms (XEP-0128), one an item. */
function tellInfo({ identities, features, forms }: DiscoInfo, item: (fields: Fields) => void): void {
  for (const { category, type, name } of identities) item({ category, type, name });
  for (const feature of features) item({ feature });
  for (const form of forms.map(readDataForm)) {
    for (const fields of formItems(form)) item({ form: formType(form), ...fields });
  }
}
