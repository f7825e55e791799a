import { runAttacks } from './support/attack.js';
import { sharedEnds } from './tables/epochs.js';
import { lifecycle } from './tables/lifecycle.js';

runAttacks('L whoever is stopped', [...lifecycle, ...sharedEnds]);
