import { runAttacks } from './support/attack.js';
import { parsing } from './tables/parsing.js';

runAttacks('P bytes', parsing);
