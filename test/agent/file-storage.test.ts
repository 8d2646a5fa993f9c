/** What the bot keeps in its data folder is whole at every moment, and untouched once the bot has stopped. */
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Bot } from '../../src/agent/bot.js';
import { parseConfig } from '../../src/agent/config/parse-config.js';
import { FileStorage } from '../../src/agent/file-storage.js';
import { MediaStore } from '../../src/agent/media/store.js';
import { configuredModels } from '../../src/agent/model/configured-models.js';

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'storage-test-'));
  t.teardown(() => rm(path, { recursive: true }));
  return path;
}

// [promise-data-places]
t.test('values are on the disk when the promise resolves, and many at once share few writes', async (t) => {
  const path = join(await folder(t), 'state.json');
  const storage = await FileStorage.open(path);
  const names = Array.from({ length: 500 }, (_, index) => `key ${index}`);
  const texts = new Set<string>();
  await Promise.all(
    names.map(async (name) => {
      await storage.set(name, name);
      texts.add(await readFile(path, 'utf8'));
    }),
  );
  t.equal(texts.size, 1, 'those of one turn share one');
  t.same(Object.keys(JSON.parse([...texts].join(''))), names);
  await storage.set('later', 'value');
  t.equal(await (await FileStorage.open(path)).get('later'), 'value');
});

// [promise-data-places]
t.test('nothing is written to a storage after it is closed', async (t) => {
  const directory = await folder(t);
  const path = join(directory, 'state.json');
  const storage = await FileStorage.open(path);
  const media = await MediaStore.open(join(directory, 'media'));
  const saving = [storage.set('last', 'value'), media.save(Buffer.from('picture'), 'png')];
  await Promise.all([storage.close(), media.close()]);
  const before = await readFile(path, 'utf8');
  t.match(before, /value/, 'what was set before is there');
  t.equal((await readdir(join(directory, 'media'))).length, 1);
  await Promise.all(saving);
  await t.rejects(storage.set('late', 'value'), { name: 'StorageError', message: /closed/ });
  await t.rejects(media.save(Buffer.from('late'), 'png'), { message: /closed/ });
  t.equal(await readFile(path, 'utf8'), before);
  t.equal((await readdir(join(directory, 'media'))).length, 1);
});

// [promise-data-places]
t.test('a bot that cannot open its files releases the data folder', async (t) => {
  const dataDirectory = await folder(t);
  await writeFile(join(dataDirectory, 'state.json'), '{"torn');
  const text =
    '[channels.xmpp.bot]\njid = "bot@localhost"\npassword = "x"\n[providers.local]\nbase_url = "http://127.0.0.1:1/v1"\nmodels = ["m"]\n';
  const { config } = parseConfig(text, { file: 'moltis.toml', env: {}, baseDirectory: dataDirectory });
  if (config === undefined) throw new Error('the configuration has errors');
  const open = (): Promise<Bot> =>
    Bot.open({ config, modelOf: configuredModels(config), dataDirectory, log: () => undefined });
  await t.rejects(open(), { name: 'StorageError' });
  t.equal((await readdir(dataDirectory)).includes('lock'), false);
  await rm(join(dataDirectory, 'state.json'));
  await t.resolves(open());
});
