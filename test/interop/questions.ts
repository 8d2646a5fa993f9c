import { setTimeout as pause } from 'node:timers/promises';

import { textAnswer, type Script } from '../support/openai-server.js';
import type { Human, HumanMessage } from './human.js';
import { PATIENCE } from './inbox.js';
import { BOT_NICK, type Stage } from './stage.js';

const ANSWER = 'It is forty-two.';

/** @param bot the bare JID of its account */
export async function directMessageIsAnswered(
  { model, server }: Stage,
  human: Human,
  bot = `bot@${server.domain}`,
): Promise<void> {
  model.next(textAnswer('It is ', 'forty-two.'));
  await human.say(bot, 'What is six times seven?');
  // In a direct message the answer may be shown while it grows: its last correction is the answer then.
  await human.expect(
    'answer',
    ({ type, from, body }) => type === 'chat' && from.startsWith(`${bot}/`) && body === ANSWER,
  );
}

/**
 * @param nick what the bot is called there
 * @returns the stanza id that the room gave to the question, and the answer
 */
export async function mentionIsAnswered(
  { model }: Stage,
  human: Human,
  room: string,
  nick = BOT_NICK,
): Promise<{ question: string | undefined; answer: HumanMessage }> {
  model.next(textAnswer('It is ', 'forty-two.'));
  const id = await human.sayInRoom(room, `${nick}: what is six times seven?`);
  const reflection = await human.expect('own message back from the room', (message) => message.id === id);
  const answer = await human.expect(
    'answer in the room',
    ({ type, from, body }) => type === 'groupchat' && from === `${room}/${nick}` && body === ANSWER,
  );
  return { question: reflection.stanzaIds.find(({ by }) => by === room)?.id, answer };
}

/** Everything that the model was told in its last request. */
export function lastRequest({ model }: Stage): string {
  return JSON.stringify(model.requests.at(-1)?.body?.messages);
}

/** Looks again and again, for what nobody tells of, until it is as it should be. @throws Error when that takes too long */
export async function until<Seen>(
  what: string,
  look: () => Promise<Seen>,
  isRight: (seen: Seen) => boolean,
): Promise<Seen> {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const seen = await look();
    if (isRight(seen)) return seen;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${PATIENCE} ms; it is ${JSON.stringify(seen)}`);
    await pause(50);
  }
}

/** A script whose words keep coming until it is enough: the test, not a clock, decides how long the answer takes. */
export function keepsTalking(): { readonly script: Script; readonly enough: () => void } {
  let enough = (): void => undefined;
  const heard = new Promise<void>((resolve) => {
    enough = resolve;
  });
  const script: Script = async (exchange) => {
    const words = setInterval(() => exchange.text('and '), 50);
    await Promise.race([heard, exchange.closed]);
    clearInterval(words);
    exchange.text('so on.');
    exchange.finish();
  };
  return { script, enough };
}
