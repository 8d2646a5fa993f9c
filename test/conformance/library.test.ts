/** The library as it stands behind scenarios: whole, and strict with what it is asked for. */
import t from 'tap';
import { LOOPBACK_CERTIFICATE, LOOPBACK_KEY } from '../../src/loopback/certificate.js';
import * as xeps from '../../src/xeps/index.js';
import * as core from '../../src/xmpp-core/index.js';
import { readLine, type Site } from './implementation.js';
import { extensionNames, extensionsOf } from './library/index.js';
import { startLibrary } from './library.js';
import type { Settings } from './scenario.js';

const SETTINGS: Settings = {
  account: 'ann@localhost',
  password: 'pencil',
  resource: undefined,
  way: 'StartTLS',
  login: 'password',
  client: [],
};
/** Nobody is there: nothing listens at the port 1. */
const SITE: Site = {
  host: '127.0.0.1',
  port: 1,
  webSocket: '',
  authority: LOOPBACK_CERTIFICATE,
  identity: { certificate: LOOPBACK_CERTIFICATE, key: LOOPBACK_KEY },
};

t.test('scenarios can switch on every plugin that the library has', async (t) => {
  const reached = new Set<string>();
  const reach = ({ name, requires = [] }: core.Plugin<unknown>): void => {
    reached.add(name);
    requires.forEach(reach);
  };
  for (const { plugins = [] } of extensionsOf(extensionNames)) plugins.forEach(reach);
  const plugins = Object.values({ ...core, ...xeps }).filter(isPlugin);
  t.ok(plugins.length > 50, `${plugins.length} plugins`);
  t.strictSame(
    plugins.map(({ name }) => name).filter((name) => !reached.has(name)),
    [],
  );
});

t.test('what a scenario asks for and nobody knows is a mistake that says what there is', async (t) => {
  const starting = (client: readonly string[]) => startLibrary({ ...SETTINGS, client }, SITE, () => undefined);
  await t.rejects(starting(['roster', 'XEP-9999']), /has no 'XEP-9999'; there are .*XEP-0184/);
  const ann = await starting(['roster']);
  t.teardown(() => ann.stop());
  t.throws(() => ann.act(readLine('presence')), /comes before 'start'/);
  ann.act(readLine('start'));
  t.throws(() => ann.act(readLine('join room den@example.org nick ann')), /no action 'join'; there are .*roster-set/);
  t.throws(() => ann.act(readLine('roster-remove jid bob@example.org gently yes')), /does not know gently/);
});

function isPlugin(value: unknown): value is core.Plugin<unknown> {
  return typeof value === 'object' && value !== null && 'setup' in value && 'name' in value;
}
