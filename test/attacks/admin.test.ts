import { runAttacks } from './support/attack.js';
import { admin } from './tables/admin.js';
import { writtenDown } from './tables/dumped.js';

runAttacks('M administration', [...admin, ...writtenDown]);
