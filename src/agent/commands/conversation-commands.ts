/** The commands about the conversation in which they are given. */
import type { Command } from './command.js';

const newSession: Command = {
  name: 'new',
  usage: '',
  summary: 'starts a new session; the old one is kept',
  operator: false,
  immediate: false,
  async run(context) {
    await context.startNew();
    return 'A new session. What came before is kept, but I no longer see it.';
  },
};

const stop: Command = {
  name: 'stop',
  usage: '',
  summary: 'stops the answer that is being written',
  operator: false,
  immediate: true,
  run: async (context) => ((await context.stop()) ? 'Stopped.' : 'There is nothing to stop.'),
};

const status: Command = {
  name: 'status',
  usage: '',
  summary: 'shows the account, the model and what is going on',
  operator: false,
  immediate: true,
  run(context) {
    const { account, model, conversation, uptimeMs, busy, queued } = context.status();
    return [
      `Account: ${account}`,
      `Model: ${model}`,
      `Conversation: ${conversation}`,
      `Now: ${busy ? 'writing an answer' : 'idle'}, ${queued} waiting`,
      `Up for ${duration(uptimeMs)}`,
    ].join('\n');
  },
};

/** `/new`, `/stop`, `/status`. */
export const conversationCommands: readonly Command[] = [newSession, stop, status];

/** The two largest units of a time in milliseconds: `2 d 3 h`. */
function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const units = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = units.findIndex(([count]) => count > 0);
  const shown = units.slice(first < 0 ? -1 : first).slice(0, 2);
  return shown.map(([count, unit]) => `${count} ${unit}`).join(' ');
}
