import { clients } from './clients.js';
import { prosody } from './servers/prosody.js';

await clients(prosody);
