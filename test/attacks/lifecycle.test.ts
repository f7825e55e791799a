import { runAttacks } from './support/attack.js';
import { lifecycle } from './tables/lifecycle.js';

runAttacks('L whoever is stopped', lifecycle);
