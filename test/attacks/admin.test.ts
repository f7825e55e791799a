import { runAttacks } from './support/attack.js';
import { admin } from './tables/admin.js';

runAttacks('M administration', admin);
