import { scenarios } from './scenarios.js';
import { ejabberd } from './servers/ejabberd.js';

await scenarios(ejabberd);
