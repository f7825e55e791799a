import { runAttacks } from './support/attack.js';
import { actors } from './tables/actors.js';

runAttacks('D acting for a user', actors);
