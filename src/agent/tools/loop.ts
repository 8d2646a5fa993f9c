/**
 * An answer with tools: the model is asked, what it wants used is used, and it is asked again with the results, until it has no more
 * wishes or has had enough rounds.
 */
import type { Step } from '../conversation/records.js';
import { ModelError } from '../model/model.js';
import type { ChatMessage, Model, ModelEvent, ModelRequest, ModelUsage, ToolCall } from '../model/model.js';
import { estimateUsage } from '../model/tokens.js';
import { ToolError, type Tool, type ToolContext } from './tool.js';

export interface LoopOptions {
  readonly model: Model;
  readonly messages: readonly ChatMessage[];
  /** By name. */
  readonly tools: ReadonlyMap<string, Tool>;
  /** What they reach; the signal is the loop's own, which ends with each call. */
  readonly context: Omit<ToolContext, 'signal'>;
  /** Ends everything at once. */
  readonly signal: AbortSignal;
  /** Takes the text as it comes. */
  readonly write: (text: string) => void;
  /** Told what each round cost, also one that failed or was stopped. */
  readonly spent: (usage: ModelUsage) => void;
  readonly report: (report: Report) => void;
}

/** What the log is told on the way. */
export type Report =
  | { readonly what: 'tool'; readonly tool: string; readonly ms: number; readonly failed: boolean }
  | { readonly what: 'trouble'; readonly kind: 'model' | 'tool'; readonly message: string };

/** What came of it. */
export interface Outcome {
  /** The last words; empty when a reaction or a file said it all. */
  readonly text: string;
  readonly steps: readonly Step[];
  /** The name of the model that spoke last. */
  readonly model: string;
  /** Of all rounds together. */
  readonly usage: ModelUsage;
}

/** Rounds in which tools are used; then the model has to answer with what it has. */
const MAX_ROUNDS = 8;
/** So long tools may be used in one turn, in milliseconds. */
const MAX_MS = 180_000;
/** So long one call may take. */
const MAX_CALL_MS = 60_000;
/** So many calls in one round are made. */
const MAX_CALLS = 8;
/** Of a result the model reads this much. */
const MAX_RESULT = 32_000;
/** The same call with the same result is made twice, and not again. */
const MAX_REPEATS = 2;

type Done = Extract<ModelEvent, { type: 'done' }>;

/**
 * Runs the loop.
 * @throws ModelError; the reason of `signal`
 */
export async function answerWithTools(options: LoopOptions): Promise<Outcome> {
  const startedAt = performance.now();
  const calls = new Calls(options);
  const messages = [...options.messages];
  const steps: Step[] = [];
  let usage: ModelUsage | undefined;
  // What is said in several rounds is one answer.
  let gap = '';
  const write = (text: string): void => {
    options.write(gap + text);
    gap = '';
  };
  for (;;) {
    const isLast = steps.length >= MAX_ROUNDS || performance.now() - startedAt > MAX_MS;
    const tools = isLast ? [] : [...options.tools.values()].map(({ definition }) => definition);
    // Where something was said or done on the way, there need not be a last word.
    const mayBeSilent = calls.answered || steps.some(({ text }) => text.trim() !== '');
    const round = await askOnce({ ...options, write }, { messages, tools, mayBeSilent, signal: options.signal });
    usage = usage === undefined ? round.done.usage : sum(usage, round.done.usage);
    const { toolCalls, model } = round.done;
    if (toolCalls === undefined || isLast) {
      if (round.text.trim() === '' && !mayBeSilent)
        throw new ModelError('empty', `${model} asked for more tools after the last round and gave no answer`);
      return { text: round.text, steps, model, usage };
    }

    const made = await calls.make(toolCalls);
    steps.push({ text: round.text, calls: made });
    messages.push({ role: 'assistant', content: round.text, toolCalls });
    for (const { id, result } of made) messages.push({ role: 'tool', content: result, toolCallId: id });
    if (round.text.trim() !== '') gap = '\n\n';
  }
}

/** All that people read of an answer: what was said on the way to it, and then. */
export function wordsOf({ text, steps = [] }: { readonly text: string; readonly steps?: readonly Step[] }): string {
  return [...steps.map((step) => step.text), text].filter((one) => one.trim() !== '').join('\n\n');
}

async function askOnce(
  { model, write, spent, report }: LoopOptions,
  request: ModelRequest,
): Promise<{ readonly text: string; readonly done: Done }> {
  let text = '';
  try {
    for await (const event of model.answer(request)) {
      if (event.type === 'text') {
        text += event.text;
        write(event.text);
        continue;
      }
      for (const message of [event.insteadOf?.message, event.notice])
        if (message !== undefined) report({ what: 'trouble', kind: 'model', message });
      spent(event.usage);
      return { text, done: event };
    }
  } catch (error) {
    // An answer that was begun or stopped costs as well, or whoever says /stop in time would talk for nothing.
    if (text !== '' || request.signal.aborted) spent(estimateUsage(request.messages, text));
    throw error;
  }
  throw new Error('the model stream ended without a final event');
}

/** Makes the calls of a turn, and keeps in mind what came of them. */
class Calls {
  readonly #options: LoopOptions;
  /** What a call gave the last time, and how often in a row it gave that. */
  readonly #results = new Map<string, { readonly result: string; readonly times: number }>();
  #answered = false;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  /** Whether something was done that can be an answer by itself. */
  get answered(): boolean {
    return this.#answered;
  }

  /** Makes the calls of a round, one after another, because what they do is seen in that order. */
  async make(calls: readonly ToolCall[]): Promise<readonly (ToolCall & { readonly result: string })[]> {
    const made = [];
    for (const [index, call] of calls.entries()) {
      const result =
        index < MAX_CALLS ? await this.#once(call) : failure('too many calls at once; this one was not made');
      made.push({ ...call, result: shortened(result) });
    }
    return made;
  }

  async #once(call: ToolCall): Promise<string> {
    const key = `${call.name} ${call.arguments}`;
    const before = this.#results.get(key);
    if (before !== undefined && before.times >= MAX_REPEATS)
      return failure(`this call gave the same result ${MAX_REPEATS} times and is not made again; go on without it`);
    const result = await this.#make(call);
    this.#results.set(key, { result, times: before?.result === result ? before.times + 1 : 1 });
    return result;
  }

  /** Makes a call. What goes wrong is for the model to read; only the end of the turn is not. */
  async #make({ name, arguments: given }: ToolCall): Promise<string> {
    const { tools, context, signal, report } = this.#options;
    signal.throwIfAborted();
    const startedAt = performance.now();
    const tool = tools.get(name);
    let failed = false;
    const ending = AbortSignal.any([signal, AbortSignal.timeout(MAX_CALL_MS)]);
    try {
      if (tool === undefined) throw new ToolError(`there is no such tool; there are: ${[...tools.keys()].join(', ')}`);
      const result = await unlessAborted(ending, tool.run(parse(given), { ...context, signal: ending }));
      this.#answered ||= tool.answers;
      return result;
    } catch (error) {
      signal.throwIfAborted();
      failed = true;
      if (error instanceof ToolError) return failure(error.message);
      if (ending.aborted) return failure('it took too long');
      report({
        what: 'trouble',
        kind: 'tool',
        message: `the tool ${name} failed: ${error instanceof Error ? error.message : String(error)}`,
      });
      return failure('it failed, for a reason that is not yours');
    } finally {
      report({ what: 'tool', tool: name, ms: Math.round(performance.now() - startedAt), failed });
    }
  }
}

function shortened(result: string): string {
  // The cut may have parted a surrogate pair.
  return result.length > MAX_RESULT ? `${result.slice(0, MAX_RESULT).replace(/\p{Cs}$/u, '')}… (cut)` : result;
}

function failure(words: string): string {
  return `Error: ${words}`;
}

/** @throws ToolError when it is no JSON; models without arguments to give often give nothing */
function parse(given: string): unknown {
  if (given.trim() === '') return {};
  try {
    return JSON.parse(given) as unknown;
  } catch {
    throw new ToolError('the arguments are not JSON');
  }
}

/** The outcome of `work`, or the reason of the signal as soon as it is aborted, whether the work listens to it or not. */
function unlessAborted<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

function sum(one: ModelUsage, other: ModelUsage): ModelUsage {
  return {
    promptTokens: one.promptTokens + other.promptTokens,
    completionTokens: one.completionTokens + other.completionTokens,
    estimated: one.estimated || other.estimated,
  };
}
