/** The commands that concern their own conversation. */
import type { Command, RetryResult } from './command.js';
import { findModel, modelName, isSameModel } from './model-name.js';

const newSession: Command = {
  name: 'new',
  usage: '',
  summary: 'starts a new session; the old one is kept',
  operator: false,
  immediate: false,
  async run(context) {
    await context.startNew();
    return 'New session started. The old one is kept, but I no longer see it.';
  },
};

const stop: Command = {
  name: 'stop',
  usage: '',
  summary: 'stops the current answer',
  operator: false,
  immediate: true,
  run: async (context) => ((await context.stop()) ? 'Stopped.' : 'There is nothing to stop.'),
};

const status: Command = {
  name: 'status',
  usage: '',
  summary: 'shows the account, the model and the current activity',
  operator: false,
  immediate: true,
  run(context) {
    const { account, conversation, uptimeMs, busy, queued } = context.status();
    const { current, configured } = context.models();
    const { includedTurns, tokens } = context.contextUsage();
    return [
      `Account: ${account}`,
      `Model: ${modelName(current)}${isSameModel(current, configured) ? '' : ' (chosen with /model)'}`,
      `Conversation: ${conversation}`,
      `Now: ${busy ? 'writing an answer' : 'idle'}, ${queued} waiting`,
      `Session: ${quantity(includedTurns, 'turn')} in context, about ${quantity(tokens, 'token')}`,
      `Uptime: ${duration(uptimeMs)}`,
    ].join('\n');
  },
};

const model: Command = {
  name: 'model',
  usage: '[NAME]',
  summary: 'lists the models, or switches to one until /new',
  operator: false,
  immediate: true,
  argument: {
    label: 'Model',
    kind: 'text',
    choices(context) {
      const { choices, current } = context.models();
      return { values: choices.map(modelName), current: modelName(current) };
    },
  },
  async run(context, wanted) {
    const { choices, current, configured } = context.models();
    if (wanted === '') {
      return [
        `Current model: ${modelName(current)}. Available:`,
        ...choices.map((choice) => {
          const isCurrent = isSameModel(choice, current) ? ' (current)' : '';
          return `- ${modelName(choice)}${isCurrent}${isSameModel(choice, configured) ? ' (default here)' : ''}`;
        }),
        '/model NAME switches to another one until /new.',
      ].join('\n');
    }
    const found = findModel(wanted, choices);
    if (found.kind === 'several') {
      return `Several models have that name: ${found.choices.map(modelName).join(', ')}. Which one?`;
    }
    if (found.kind === 'none') {
      const hint = found.nearest === undefined ? '/model lists the available ones.' : `Did you mean ${found.nearest}?`;
      return `I have no model ${wanted.length <= MAX_SHOWN ? `“${wanted}”` : 'with that name'}. ${hint}`;
    }
    await context.chooseModel(found.choice);
    return `I will use ${modelName(found.choice)} from the next answer on, until /new.`;
  },
};

const context: Command = {
  name: 'context',
  usage: '',
  summary: 'shows how much of our conversation the model sees',
  operator: false,
  immediate: true,
  run(context) {
    const { tokens, budget, includedTurns, turns, summaryTokens } = context.contextUsage();
    const share = Math.round((100 * tokens) / budget);
    const left = turns - includedTurns;
    return [
      `The next request includes about ${quantity(tokens, 'token')} of history, ${share} % of the limit of ${quantity(budget, 'token')}.`,
      left === 0
        ? `It includes all ${quantity(turns, 'turn')} of this session that are in memory.`
        : `It includes the newest ${quantity(includedTurns, 'turn')}; ${left} older ${left === 1 ? 'one does' : 'ones do'} not fit. /compact makes room.`,
      ...(summaryTokens === undefined
        ? []
        : [`A summary of about ${quantity(summaryTokens, 'token')} replaces what came before.`]),
    ].join('\n');
  },
};

const NOT_COMPACTED = {
  'no shorter': 'A summary would not be shorter, so nothing was changed.',
  'nothing there': 'There is nothing to summarise yet.',
} as const;

const compact: Command = {
  name: 'compact',
  usage: '',
  summary: 'summarises our conversation to make room',
  operator: false,
  immediate: false,
  async run(context, _, signal) {
    const compaction = await context.compact(signal);
    if (compaction.outcome === 'failed') return `The summary failed, and nothing was changed. ${compaction.why}`;
    if (compaction.outcome !== 'done') return NOT_COMPACTED[compaction.outcome];
    const { before, after } = compaction;
    return `Summarised: the next request includes about ${quantity(after, 'token')} of history instead of ${before}.`;
  },
};

const skills: Command = {
  name: 'skills',
  usage: '',
  summary: 'lists my skills here',
  operator: false,
  immediate: true,
  async run(context) {
    const known = await context.skills();
    if (known.length === 0) return 'I have no skills here.';
    return known.map(({ name, description }) => `${name}: ${description}`).join('\n');
  },
};

const RETRIED: Readonly<Record<RetryResult, string>> = {
  // The new answer is the reply.
  'asked again': '',
  'nothing there': 'There is no question to answer again.',
  'not theirs': 'Only the person who asked, or an operator, can retry this question.',
  'used up': "Today's limit here is used up; please come back tomorrow.",
};

const retry: Command = {
  name: 'retry',
  usage: '',
  summary: 'answers the last question again',
  operator: false,
  immediate: false,
  run: async (context) => RETRIED[await context.retry()],
};

/** `/new`, `/stop`, `/retry`, `/status`, `/model`, `/context`, `/compact`, `/skills`. */
export const conversationCommands: readonly Command[] = [
  newSession,
  stop,
  retry,
  status,
  model,
  context,
  compact,
  skills,
];

/** A longer name is not quoted. */
const MAX_SHOWN = 64;

function quantity(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/** Formats milliseconds with their two largest units: `2 d 3 h`. */
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
