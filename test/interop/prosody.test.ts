import { scenarios } from './scenarios.js';
import { prosody } from './servers/prosody.js';

await scenarios(prosody);
