import { runAttacks } from './support/attack.js';
import { terms } from './tables/terms.js';

runAttacks('D, I terms of a consent', terms);
