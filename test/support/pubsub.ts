/** For tests of what is built on publish-subscribe: a session in which the test is the server, and what such a server says. */
import type { Test } from 'tap';
import type { Client } from '../../src/xmpp-core/client.js';
import type { Plugin } from '../../src/xmpp-core/plugin.js';
import { NS_STANZAS } from '../../src/xmpp-core/stanza/namespaces.js';
import type { Element } from '../../src/xmpp-core/xml/element.js';
import { parseElement } from '../../src/xmpp-core/xml/stream-parser.js';
import { dialogue, type Peer } from './script.js';

/** A session of ann, whose roster has bob in it, whose presence she sees, and dan, whose presence she does not. */
export async function session(t: Test, ...plugins: Plugin<unknown>[]): Promise<{ client: Client; peer: Peer }> {
  const { client, peer, started } = await dialogue(t, { plugins, presence: false });
  await peer.acceptsLogin();
  await started;
  if (plugins.some(({ requires = [] }) => requires.length > 0)) {
    const items = `<item jid='bob@localhost' subscription='to'/><item jid='dan@localhost' subscription='from'/>`;
    await answer(peer, 'jabber:iq:roster', `<query xmlns='jabber:iq:roster'>${items}</query>`);
  }
  return { client, peer };
}

/** Waits for a request with that in it, and answers it. @returns the request */
export async function answer(
  peer: Peer,
  pattern: string,
  payload: string,
  from = '',
  type = 'result',
): Promise<Element> {
  const received = await peer.receives(new RegExp(`<iq [^>]*>(?:(?!</iq>)[^])*${pattern}[^]*?</iq>`));
  const request = parseElement(
    received.slice(received.lastIndexOf('<iq ')).replace('<iq ', `<iq xmlns='jabber:client' `),
  );
  const sender = from === '' ? '' : ` from='${from}'`;
  peer.sends(`<iq type='${type}' id='${request.attr('id') ?? ''}'${sender}>${payload}</iq>`);
  return request;
}

/** Waits for a request with that in it, and refuses it. @returns the request */
export function refuse(peer: Peer, pattern: string, condition: string, application = '', from = ''): Promise<Element> {
  const error = `<error type='cancel'><${condition} xmlns='${NS_STANZAS}'/>${application}</error>`;
  return answer(peer, pattern, error, from, 'error');
}

/** What a service answers. */
export const inPubsub = (payload: string, about = ''): string =>
  `<pubsub xmlns='http://jabber.org/protocol/pubsub${about}'>${payload}</pubsub>`;
/** The configuration of a node, as its owner is told it. */
export const configurationOf = (node: string, access: string): string => {
  const field = `<field var='pubsub#access_model' type='list-single'><value>${access}</value></field>`;
  const form = `<x xmlns='jabber:x:data' type='form'>${field}</x>`;
  return inPubsub(`<configure node='${node}'>${form}</configure>`, '#owner');
};
/** An event, as the account or service of that address sends it; or who would like to be that. */
export const event = (from: string, node: string, inside: string): string =>
  `<message from='${from}' to='ann@localhost/a' type='headline'>` +
  `<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='${node}'>${inside}</items></event></message>`;
/** What our account announces. */
export const account = (...features: string[]): string =>
  `<query xmlns='http://jabber.org/protocol/disco#info'>${features.map((one) => `<feature var='${one}'/>`).join('')}</query>`;
export const OPTIONS = 'http://jabber.org/protocol/pubsub#publish-options';
