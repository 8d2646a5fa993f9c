import { extensions } from './extensions.js';
import { prosody } from './servers/prosody.js';

await extensions(prosody);
