import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { createInterface } from 'node:readline';

import { PATIENCE } from './inbox.js';

/** Only the end of what a program prints is kept. */
const OUTPUT_KEPT = 256 * 1024;

/** How a program ended: its exit code, or the signal that ended it. */
export type End = number | NodeJS.Signals;

/** What still runs: it does not outlive a test process that ends before its teardown. */
const running = new Set<Program>();

function killWhatRuns(): void {
  for (const program of running) program.signal('SIGKILL');
}

/** A child process in a process group of its own, with what it prints kept for the reader of a failed test. */
export class Program {
  readonly name: string;
  /** Settles when the program has ended and its output has been read; a program that could not be started ends with 127. */
  readonly ended: Promise<End>;
  readonly #child: ChildProcess;
  #output = '';
  #end: End | undefined;

  /** @param name what to call it in errors and logs */
  constructor(name: string, command: string, args: readonly string[], options: SpawnOptions = {}) {
    this.name = name;
    // A group of its own: the start script of ejabberd is not the process that serves, and both have to go.
    this.#child = spawn(command, [...args], { stdio: 'pipe', ...options, detached: true });
    if (running.size === 0) process.once('exit', killWhatRuns);
    running.add(this);
    const { stdout, stderr } = this.#child;
    if (stdout !== null) this.#keep(stdout);
    if (stderr !== null) this.#keep(stderr);
    this.ended = new Promise((resolve) => {
      const finish = (end: End): void => {
        this.#end ??= end;
        running.delete(this);
        if (running.size === 0) process.off('exit', killWhatRuns);
        resolve(this.#end);
      };
      this.#child.once('error', (error) => {
        this.#output += `${error.message}\n`;
        finish(127);
      });
      this.#child.once('close', (code, signal) => finish(code ?? signal ?? 127));
    });
  }

  /** The last of what was printed, on both channels. */
  get output(): string {
    return this.#output;
  }

  get running(): boolean {
    return this.#end === undefined;
  }

  /** Calls back with every whole line on standard output. */
  onLine(listener: (line: string) => void): void {
    const { stdout } = this.#child;
    if (stdout !== null) createInterface({ input: stdout }).on('line', listener);
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Ends its standard input. */
  endInput(): void {
    this.#child.stdin?.end();
  }

  signal(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined || !this.running) return;
    try {
      process.kill(-pid, signal);
    } catch (error) {
      // It ended between the look and the signal.
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
    }
  }

  /**
   * Waits for the end.
   *
   * @throws Error when it is still running after `patience` milliseconds
   */
  async end(patience: number = PATIENCE): Promise<End> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`${this.name} still runs after ${patience} ms`)), patience);
    });
    try {
      return await Promise.race([this.ended, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asks it to end, and ends it when it has not done so in `patience` milliseconds. */
  async stop(signal: NodeJS.Signals = 'SIGTERM', patience = 5_000): Promise<End> {
    this.signal(signal);
    const killer = setTimeout(() => this.signal('SIGKILL'), patience);
    try {
      return await this.ended;
    } finally {
      clearTimeout(killer);
    }
  }

  #keep(stream: NodeJS.ReadableStream): void {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      this.#output = (this.#output + text).slice(-OUTPUT_KEPT);
    });
  }
}
