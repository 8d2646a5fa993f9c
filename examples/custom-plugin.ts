/** An extension of our own, as a plugin: everyone may ask us to roll a die, and we may ask others. */
import { createClient, definePlugin, el, senders, StanzaError, XmppError, type Jid } from 'moltis-xmpp';

const NS_DICE = 'urn:example:dice:0';
const MAX_SIDES = 1_000;

const dice = definePlugin({
  name: 'dice',
  // Announced through service discovery, so that others can find out that we have dice.
  features: [NS_DICE],
  setup(context) {
    const events = context.events<{ rolled: { readonly by: Jid; readonly value: number } }>();

    // The second argument says whose requests are taken. What is returned is the answer; a StanzaError that is thrown is one as well.
    context.onIq({ type: 'get', ns: NS_DICE, name: 'roll' }, senders.anyone, (roll, request) => {
      const sides = Number(roll.attr('sides') ?? 6);
      if (!Number.isInteger(sides) || sides < 2 || sides > MAX_SIDES) throw StanzaError.of('bad-request');
      const value = 1 + Math.floor(Math.random() * sides);
      events.emit('rolled', { by: request.from, value });
      return el('rolled', NS_DICE, { value });
    });

    return {
      events,
      /** Asks another client to roll a die. */
      async roll(to: Jid | string, sides = 6): Promise<number> {
        const answer = await context.iq({ to, type: 'get', payload: el('roll', NS_DICE, { sides }) });
        const value = Number(answer?.attr('value'));
        if (!Number.isInteger(value)) throw new XmppError(`${to} answered without a number`);
        return value;
      },
    };
  },
});

const { JID = 'dice@example.org', PASSWORD } = process.env;
const client = createClient({ jid: JID, password: PASSWORD, plugins: [dice] });
client.get(dice).events.on('rolled', ({ by, value }) => console.log(`Rolled ${value} for ${by}`));

await client.start();
process.once('SIGINT', () => void client.stop());
console.log(`Online as ${client.jid}`);
// A client can ask itself, which shows that both sides work.
if (client.jid !== undefined) console.log(`Got ${await client.get(dice).roll(client.jid, 20)}`);
