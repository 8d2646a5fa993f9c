import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { configuration, configurationFile, prosody } from './prosody.js';
import type { ServerSoftware, Site } from './server.js';

const COMMANDS = ['prosody', 'prosodyctl'] as const;

/**
 * Prosody 0.12 as Debian 12 has it, for recordings: without SASL2, and without a binding to TLS 1.3. It lies beside the one that is installed, where
 * `dpkg -x` unpacked its package; PROSODY_0_12 names that directory, which the server's user has to be able to read.
 */
export const prosody012: ServerSoftware = {
  ...prosody,

  async configure(site) {
    await writeFile(configurationFile(site), configuration(site, { logins: [], rooms: [] }));
    // The paths are written into its commands: these are copies with others.
    const root = packageRoot();
    for (const name of COMMANDS) {
      const text = await readFile(join(root, 'usr/bin', name), 'utf8');
      await writeFile(command(site, name), text.replaceAll("'/usr/lib/prosody", `'${join(root, 'usr/lib/prosody')}`));
    }
  },

  serve(site) {
    return { file: 'lua5.4', args: [command(site, 'prosody'), '--config', configurationFile(site), '-F'] };
  },

  async register(site, user, host, password, as) {
    const args = ['--config', configurationFile(site), 'register', user, host, password];
    await as({ file: 'lua5.4', args: [command(site, 'prosodyctl'), ...args] });
  },
};

function command({ directory }: Site, name: (typeof COMMANDS)[number]): string {
  return join(directory, name);
}

function packageRoot(): string {
  const root = process.env['PROSODY_0_12'];
  if (root !== undefined) return root;
  throw new Error('PROSODY_0_12 does not say where Prosody 0.12 is unpacked: apt-get download prosody=0.12*, dpkg -x');
}
