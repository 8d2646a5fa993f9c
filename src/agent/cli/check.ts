/** `moltis-xmpp check`: validates the configuration without connecting to anything. */
import { homedir } from 'node:os';
import { formatFinding } from '../config/finding.js';
import { loadConfig } from '../config/load-config.js';
import type { CommonOptions } from './options.js';

/** Prints the findings. @returns the exit code: 0 if the configuration is valid, 1 if not */
export async function check(options: CommonOptions): Promise<number> {
  const { path, config, findings } = await loadConfig({
    path: options.config,
    env: process.env,
    cwd: process.cwd(),
    home: homedir(),
  });
  const isValid = config !== undefined;
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ file: path, valid: isValid, findings })}\n`);
    return isValid ? 0 : 1;
  }
  for (const finding of findings) process.stdout.write(`${formatFinding(finding)}\n`);
  if (isValid) process.stdout.write(`${path}: ${summary(config.accounts.map(({ name }) => name))}\n`);
  return isValid ? 0 : 1;
}

function summary(names: readonly string[]): string {
  return `OK, ${names.length} ${names.length === 1 ? 'account' : 'accounts'}: ${names.join(', ')}`;
}
