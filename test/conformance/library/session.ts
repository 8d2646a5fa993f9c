/** Extensions of the session itself: how it begins, how it is kept, and what the account's server does for it. */
import { registration } from '../../../src/xeps/xep-0077-in-band-registration.js';
import { blocking } from '../../../src/xeps/xep-0191-blocking-command.js';
import { streamManagement } from '../../../src/xeps/xep-0198-stream-management/index.js';
import { liveness } from '../../../src/xeps/liveness.js';
import { ping } from '../../../src/xeps/xep-0199-ping.js';
import { clientStateIndication } from '../../../src/xeps/xep-0352-client-state-indication.js';
import { bind2 } from '../../../src/xeps/xep-0386-bind2.js';
import { sasl2 } from '../../../src/xeps/xep-0388-sasl2.js';
import { fast } from '../../../src/xeps/xep-0484-fast.js';
import { Jid } from '../../../src/xmpp-core/jid/jid.js';
import type { Element } from '../../../src/xmpp-core/xml/element.js';
import type { Asked } from './asked.js';
import { list, type Extensions } from './extension.js';

export const sessionExtensions: Extensions = {
  'XEP-0077': {
    plugins: [registration],
    attach({ client }) {
      const account = client.get(registration);
      return {
        'password-change': async (asked) => account.changePassword(asked.need('password')),
        'account-cancel': async () => account.cancelAccount(),
      };
    },
  },
  'XEP-0191': {
    plugins: [blocking],
    attach({ client, tell }) {
      const blocks = client.get(blocking);
      blocks.events.on('blocked', ({ jids }) => tell('blocked', { jids: list(jids) }));
      blocks.events.on('unblocked', ({ jids }) => tell('unblocked', { jids: list(jids) }));
      return {
        blocklist: async () => ({ jids: list(await blocks.list()) }),
        block: async (asked) => blocks.block(...jidsOf(asked)),
        unblock: async (asked) => blocks.unblock(...jidsOf(asked)),
        'unblock-all': async () => blocks.unblockAll(),
      };
    },
  },
  'XEP-0198': {
    plugins: [streamManagement],
    attach({ client, tell }) {
      const { events } = client.get(streamManagement);
      // Those of presence and of requests would say what the application cannot use.
      const ofMessages =
        (verb: string) =>
        ({ stanza }: { readonly stanza: Element }): void => {
          if (stanza.name === 'message') tell(verb, { id: stanza.attr('id') });
        };
      events.on('acknowledged', ofMessages('acknowledged'));
      events.on('failed', ofMessages('unacknowledged'));
    },
  },
  'XEP-0199': {
    plugins: [ping, liveness],
    attach({ client }) {
      return {
        async ping(asked) {
          await client.get(ping).ping(asked.jid('to') ?? Jid.parse(client.account.domainpart));
        },
      };
    },
  },
  'XEP-0352': {
    plugins: [clientStateIndication],
    attach({ client }) {
      const state = client.get(clientStateIndication);
      return { active: () => state.setActive(true), inactive: () => state.setActive(false) };
    },
  },
  'XEP-0386': { plugins: [bind2] },
  'XEP-0388': { plugins: [sasl2] },
  'XEP-0484': {
    plugins: [fast],
    attach({ client }) {
      const tokens = client.get(fast);
      return { 'token-forget': async () => tokens.forget(), 'token-revoke': async () => tokens.revoke() };
    },
  },
};

function jidsOf(asked: Asked): readonly [Jid, ...Jid[]] {
  const [first, ...more] = asked.list('jids').map((jid) => Jid.parse(jid));
  return [first ?? asked.needJid('jids'), ...more];
}
