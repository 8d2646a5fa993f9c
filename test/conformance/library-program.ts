/** This library as a program that scenarios are held against: an adapter as any other implementation would need one. */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { line, readLine, writeLine, type Implementation, type Line, type Site } from './implementation.js';
import { startLibrary } from './library.js';
import type { Settings } from './scenario.js';

const headers = new Map<string, string>();
let implementation: Implementation | undefined;

for await (const text of createInterface({ input: process.stdin })) {
  if (implementation !== undefined) act(implementation, readLine(text));
  else if (text === '') implementation = await startLibrary(settings(), site(), tell);
  else headers.set(text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 1).trim());
}
await implementation?.stop();

function act(client: Implementation, action: Line): void {
  try {
    client.act(action);
  } catch (error) {
    tell(line('unknown', { of: action.verb, text: error instanceof Error ? error.message : String(error) }));
  }
}

function tell(event: Line): void {
  process.stdout.write(`${writeLine(event)}\n`);
}

function settings(): Settings {
  return {
    account: need('Account'),
    password: need('Password'),
    resource: headers.get('Resource'),
    way: need('Way') as Settings['way'],
    login: need('Login') as Settings['login'],
    client: need('Client')
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  };
}

function site(): Site {
  const file = (name: string): string => readFileSync(need(name), 'utf8');
  return {
    host: need('Host'),
    port: Number(need('Port')),
    webSocket: need('WebSocket'),
    authority: file('Authority'),
    identity: { certificate: file('Certificate'), key: file('Key') },
  };
}

function need(name: string): string {
  const value = headers.get(name);
  if (value === undefined) throw new Error(`the input has no ${name}`);
  return value;
}
