/**
 * Answers with tools: asks the model, runs its tool calls and asks again with the results, until there are no more calls or a limit is
 * reached.
 */
import { untilAborted } from '../../xmpp-core/deadline.js';
import type { Step } from '../conversation/records.js';
import { ModelError } from '../model/model.js';
import type { ChatMessage, Model, ModelEvent, ModelRequest, ModelUsage, ToolCall } from '../model/model.js';
import { estimateUsage } from '../model/tokens.js';
import { ToolError, type Tool, type ToolContext } from './tool.js';

/** Options of `answerWithTools`. */
export interface LoopOptions {
  readonly model: Model;
  readonly messages: readonly ChatMessage[];
  /** The available tools, by name. */
  readonly tools: ReadonlyMap<string, Tool>;
  /** The context of the tools. Each call gets a signal of its own. */
  readonly context: Omit<ToolContext, 'signal'>;
  /** Aborts the loop at once. */
  readonly signal: AbortSignal;
  /** Called with each piece of text as it arrives. */
  readonly onText: (text: string) => void;
  /** The text so far is replaced by `before`, the text of earlier rounds: the rest were thoughts. */
  readonly onRestart?: (before: string) => void;
  /** Called with the usage of each round, including failed and stopped ones. */
  readonly onUsage: (usage: ModelUsage) => void;
  /** Called for events that belong in the log. */
  readonly onReport: (report: LoopReport) => void;
}

/** An event for the log: a tool call, or a problem that did not end the turn. */
export type LoopReport =
  | { readonly what: 'tool'; readonly tool: string; readonly ms: number; readonly failed: boolean }
  | { readonly what: 'trouble'; readonly kind: 'model' | 'tool'; readonly message: string };

/** The answer. */
export interface LoopResult {
  /** The text of the last round; empty when a reaction or a file is the answer. */
  readonly text: string;
  readonly steps: readonly Step[];
  /** The name of the model that answered last. */
  readonly model: string;
  /** The sum of all rounds. */
  readonly usage: ModelUsage;
}

/** Rounds with tools; then the model must answer with what it has. */
const MAX_ROUNDS = 8;
/** After this time no more tools are offered, in milliseconds. */
const MAX_MS = 180_000;
/** The time limit of one call, in milliseconds. */
const MAX_CALL_MS = 60_000;
/** The calls of one round that are run. */
const MAX_CALLS = 8;
/** The characters of a result that the model reads. */
const MAX_RESULT = 32_000;
/** How often the same call may give the same result in a row; further ones are refused. */
const MAX_REPEATS = 2;

type Done = Extract<ModelEvent, { type: 'done' }>;

/**
 * Runs the loop of model requests and tool calls.
 * @throws ModelError, or the reason of `signal`
 */
export async function answerWithTools(options: LoopOptions): Promise<LoopResult> {
  const startedAt = performance.now();
  const calls = new Calls(options);
  const messages = [...options.messages];
  const steps: Step[] = [];
  let usage: ModelUsage | undefined;
  // The texts of several rounds form one answer, separated by blank lines.
  let gap = '';
  let before = '';
  const write = (text: string): void => {
    options.onText(gap + text);
    gap = '';
  };
  for (;;) {
    const isLast = steps.length >= MAX_ROUNDS || performance.now() - startedAt > MAX_MS;
    const tools = isLast ? [] : [...options.tools.values()].map(({ definition }) => definition);
    // After text or a visible action in an earlier round, the last round may be empty.
    const allowEmpty = calls.answered || steps.some(({ text }) => text.trim() !== '');
    const onRestart = (): void => {
      options.onRestart?.(before);
      gap = before === '' ? '' : '\n\n';
    };
    const round = await askOnce(
      { ...options, onText: write, onRestart },
      { messages, tools, allowEmpty, signal: options.signal },
    );
    usage = usage === undefined ? round.done.usage : sum(usage, round.done.usage);
    const { toolCalls, echo, model } = round.done;
    if (toolCalls === undefined || isLast) {
      if (round.text.trim() === '' && !allowEmpty)
        throw new ModelError('empty', `${model} asked for more tools after the last round and gave no answer`);
      return { text: round.text, steps, model, usage };
    }

    const completed = await calls.runAll(toolCalls);
    const kept = echo === undefined ? {} : { echo };
    steps.push({ text: round.text, calls: completed, ...kept });
    messages.push({ role: 'assistant', content: round.text, toolCalls, ...kept });
    for (const { id, result } of completed) messages.push({ role: 'tool', content: result, toolCallId: id });
    before = fullText({ text: '', steps });
    if (round.text.trim() !== '') gap = '\n\n';
  }
}

/** The whole text of an answer: the texts of all rounds, separated by blank lines. */
export function fullText({ text, steps = [] }: { readonly text: string; readonly steps?: readonly Step[] }): string {
  return [...steps.map((step) => step.text), text].filter((one) => one.trim() !== '').join('\n\n');
}

async function askOnce(
  { model, onText, onRestart, onUsage, onReport }: LoopOptions,
  request: ModelRequest,
): Promise<{ readonly text: string; readonly done: Done }> {
  let text = '';
  try {
    for await (const event of model.answer(request)) {
      if (event.type === 'text') {
        text += event.text;
        onText(event.text);
        continue;
      }
      if (event.type === 'restart') {
        text = '';
        onRestart?.('');
        continue;
      }
      for (const message of [event.insteadOf?.message, event.notice])
        if (message !== undefined) onReport({ what: 'trouble', kind: 'model', message });
      onUsage(event.usage);
      return { text, done: event };
    }
  } catch (error) {
    // An incomplete answer counts too, or everybody could avoid the limits with /stop.
    if (text !== '' || request.signal.aborted) onUsage(estimateUsage(request.messages, text));
    throw error;
  }
  throw new Error('the model stream ended without a final event');
}

/** Runs the tool calls of a turn and remembers their results. */
class Calls {
  readonly #options: LoopOptions;
  /** The last result of each call, and how often in a row it occurred. */
  readonly #results = new Map<string, { readonly result: string; readonly times: number }>();
  #answered = false;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  /** Whether a successful call counts as an answer by itself. */
  get answered(): boolean {
    return this.#answered;
  }

  /** Runs the calls of a round one after another, because people see their effects in that order. */
  async runAll(calls: readonly ToolCall[]): Promise<readonly (ToolCall & { readonly result: string })[]> {
    const completed = [];
    for (const [index, call] of calls.entries()) {
      const result =
        index < MAX_CALLS
          ? await this.#runUnlessRepeated(call)
          : failure('too many calls at once; this one was not made');
      completed.push({ ...call, result: shortened(result) });
    }
    return completed;
  }

  async #runUnlessRepeated(call: ToolCall): Promise<string> {
    const key = `${call.name} ${call.arguments}`;
    const before = this.#results.get(key);
    if (before !== undefined && before.times >= MAX_REPEATS)
      return failure(`this call gave the same result ${MAX_REPEATS} times and is not made again; go on without it`);
    const result = await this.#run(call);
    this.#results.set(key, { result, times: before?.result === result ? before.times + 1 : 1 });
    return result;
  }

  /** Runs a call. Errors become results for the model; only an abort of the turn is thrown. */
  async #run({ name, arguments: given }: ToolCall): Promise<string> {
    const { tools, context, signal, onReport } = this.#options;
    signal.throwIfAborted();
    const startedAt = performance.now();
    const tool = tools.get(name);
    let failed = false;
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(MAX_CALL_MS)]);
    try {
      if (tool === undefined) throw new ToolError(`there is no such tool; there are: ${[...tools.keys()].join(', ')}`);
      const result = await untilAborted(deadline, tool.run(parse(given), { ...context, signal: deadline }));
      this.#answered ||= tool.countsAsAnswer;
      return result;
    } catch (error) {
      signal.throwIfAborted();
      failed = true;
      if (error instanceof ToolError) return failure(error.message);
      if (deadline.aborted) return failure('it took too long');
      onReport({
        what: 'trouble',
        kind: 'tool',
        message: `the tool ${name} failed: ${error instanceof Error ? error.message : String(error)}`,
      });
      return failure('it failed, for a reason that is not yours');
    } finally {
      onReport({ what: 'tool', tool: name, ms: Math.round(performance.now() - startedAt), failed });
    }
  }
}

function shortened(result: string): string {
  // The cut may have split a surrogate pair.
  return result.length > MAX_RESULT ? `${result.slice(0, MAX_RESULT).replace(/\p{Cs}$/u, '')}… (cut)` : result;
}

function failure(message: string): string {
  return `Error: ${message}`;
}

/** Parses arguments; models often send an empty text for none. @throws ToolError when they are not JSON */
function parse(given: string): unknown {
  if (given.trim() === '') return {};
  try {
    return JSON.parse(given) as unknown;
  } catch {
    throw new ToolError('the arguments are not JSON');
  }
}

function sum(one: ModelUsage, other: ModelUsage): ModelUsage {
  return {
    promptTokens: one.promptTokens + other.promptTokens,
    completionTokens: one.completionTokens + other.completionTokens,
    estimated: one.estimated || other.estimated,
  };
}
