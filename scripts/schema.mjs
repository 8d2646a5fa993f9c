/**
 * Writes moltis.schema.json, the JSON Schema of moltis.toml for editors, out of what the built program itself reads the file by.
 *
 *   npm run build && node scripts/schema.mjs            # writes it
 *   npm run build && node scripts/schema.mjs --check    # writes nothing; fails when it is not current
 */
import { format, resolveConfig } from 'prettier';
import { configJsonSchema } from '../dist/agent/config/parse-config.js';
import { finish } from './lib/pages.mjs';

const schema = { title: 'moltis.toml, as far as moltis-xmpp reads it', ...configJsonSchema() };
const path = 'moltis.schema.json';
const text = await format(JSON.stringify(schema), { ...(await resolveConfig(path)), filepath: path });
finish({ [path]: text }, [], 'node scripts/schema.mjs');
