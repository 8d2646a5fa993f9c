import { extensions } from './extensions.js';
import { ejabberd } from './servers/ejabberd.js';

await extensions(ejabberd);
