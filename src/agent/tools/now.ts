import { defineTool } from './tool.js';

/** Returns the local time of the bot and UTC. */
export const now = defineTool({
  name: 'now',
  description: 'Tells the current date, weekday, time and time zone.',
  arguments: {},
  run(_args, context) {
    const time = context.now();
    const local = new Intl.DateTimeFormat('en-GB', { dateStyle: 'full', timeStyle: 'long' }).format(time);
    const { timeZone } = new Intl.DateTimeFormat().resolvedOptions();
    return `${local} (${timeZone}); in UTC ${time.toISOString().slice(0, 19)}Z`;
  },
});
