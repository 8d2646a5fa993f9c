/** A small typed event emitter, through which each layer notifies the layer above it. */
import { inBackground } from './background.js';
import { TimeoutError, XmppError } from './errors.js';

/** Ends a registration. Calling it again does nothing. */
export type Disposer = () => void;

/** Called with what a handler throws or rejects with, so that a failing handler does not affect the others. */
export type OnHandlerError = (error: unknown, event: string) => void;

/** What `once` waits for, and how long. */
export interface OnceOptions<Payload> {
  /** Only an event for which this is true counts. */
  readonly where?: (payload: Payload) => boolean;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** The listening side of an emitter, as it is handed to others. */
export interface Listenable<Map> {
  /** Calls `handler` at every such event until the returned function is called. A handler may be asynchronous; nobody waits for it. */
  on<Name extends keyof Map & string>(name: Name, handler: (payload: Map[Name]) => unknown): Disposer;
  /** The next such event. Rejects with `TimeoutError`, or with the signal's reason. */
  once<Name extends keyof Map & string>(name: Name, options?: OnceOptions<Map[Name]>): Promise<Map[Name]>;
}

/** An emitter of the events in `Map`, a type of event names and their payloads. Handlers are called in order of registration. */
export class Events<Map> implements Listenable<Map> {
  readonly #handlers = new globalThis.Map<string, ((payload: never) => unknown)[]>();
  readonly #onError: OnHandlerError;

  constructor(onError: OnHandlerError) {
    this.#onError = onError;
  }

  on<Name extends keyof Map & string>(name: Name, handler: (payload: Map[Name]) => unknown): Disposer {
    // The list is replaced, never mutated: an event reaches the handlers that were registered when it was emitted.
    this.#handlers.set(name, [...(this.#handlers.get(name) ?? []), handler]);
    return () => {
      const left = (this.#handlers.get(name) ?? []).filter((one) => one !== handler);
      if (left.length === 0) this.#handlers.delete(name);
      else this.#handlers.set(name, left);
    };
  }

  once<Name extends keyof Map & string>(name: Name, options: OnceOptions<Map[Name]> = {}): Promise<Map[Name]> {
    const { where, timeoutMs, signal } = options;
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        dispose();
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        settle();
      };
      const onAbort = (): void => finish(() => reject(abortReason(signal)));
      const dispose = this.on(name, (payload) => {
        if (where === undefined || where(payload)) finish(() => resolve(payload));
      });
      const timer =
        timeoutMs === undefined
          ? undefined
          : setTimeout(() => finish(() => reject(new TimeoutError(`waiting for '${name}'`, timeoutMs))), timeoutMs);
      if (signal?.aborted === true) onAbort();
      else signal?.addEventListener('abort', onAbort);
    });
  }

  /** Whether the event has handlers. */
  has(name: keyof Map & string): boolean {
    return this.#handlers.has(name);
  }

  /** Calls the handlers. Never throws. */
  emit<Name extends keyof Map & string>(name: Name, payload: Map[Name]): void {
    for (const handler of this.#handlers.get(name) ?? []) {
      inBackground(
        () => (handler as (payload: Map[Name]) => unknown)(payload),
        (error) => this.#onError(error, name),
      );
    }
  }
}

/** The reason of an aborted signal as an `Error`, whatever was given to `abort()`. */
export function abortReason(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new XmppError('aborted', { cause: reason });
}
