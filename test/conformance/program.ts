/** An implementation in another process, which may be written in any language: docs/fixtures.md says how it is spoken to. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { line, readLine, writeLine, type Line, type Site, type StartImplementation } from './implementation.js';
import type { Settings } from './scenario.js';

/** How long it may take to end once its input has. */
const PARTING_MS = 5_000;

/**
 * An implementation that a command starts, once for each scenario.
 * @param command for the shell
 */
export function startProgram(command: string): StartImplementation {
  return async (settings, site, told) => {
    const folder = await mkdtemp(join(tmpdir(), 'conformance-'));
    // In a group of its own, so that the shell's children end with it.
    const child = spawn(command, { shell: true, detached: true, stdio: ['pipe', 'pipe', 'inherit'] });
    const closed = once(child, 'close');
    let isStopping = false;
    // What is written to a program that has ended is lost; that it has ended is told.
    child.stdin.on('error', () => undefined);
    createInterface({ input: child.stdout }).on('line', (text) => {
      if (text !== '') told(eventOf(text));
    });
    child.on('close', (code, signal) => {
      if (!isStopping) told(line('program-ended', { code: code ?? undefined, signal: signal ?? undefined }));
    });
    child.stdin.write(`${(await headers(settings, site, folder)).join('\n')}\n\n`);
    return {
      act: (action) => void child.stdin.write(`${writeLine(action)}\n`),
      async stop() {
        isStopping = true;
        child.stdin.end();
        const deadline = setTimeout(() => endGroup(child.pid), PARTING_MS);
        await closed;
        clearTimeout(deadline);
        await rm(folder, { recursive: true, force: true });
      },
    };
  };
}

/** What cannot be read is an event, too, for which no scenario waits. */
function eventOf(text: string): Line {
  try {
    return readLine(text);
  } catch (error) {
    return line('unreadable', { why: error instanceof Error ? error.message : String(error) });
  }
}

function endGroup(leader: number | undefined): void {
  if (leader !== undefined) process.kill(-leader, 'SIGKILL');
}

/** Settings and site, one a line; what is long stands in a file. */
async function headers(settings: Settings, site: Site, folder: string): Promise<readonly string[]> {
  const file = async (name: string, text: string): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, text, { mode: 0o600 });
    return path;
  };
  const { account, password, resource, way, login, client } = settings;
  return [
    `Account: ${account}`,
    `Password: ${password}`,
    ...(resource === undefined ? [] : [`Resource: ${resource}`]),
    `Way: ${way}`,
    `Login: ${login}`,
    `Client: ${client.join(', ')}`,
    `Host: ${site.host}`,
    `Port: ${site.port}`,
    `WebSocket: ${site.webSocket}`,
    `Authority: ${await file('authority.pem', site.authority)}`,
    `Certificate: ${await file('certificate.pem', site.identity.certificate)}`,
    `Key: ${await file('key.pem', site.identity.key)}`,
  ];
}
