import { clients } from './clients.js';
import { ejabberd } from './servers/ejabberd.js';

await clients(ejabberd);
