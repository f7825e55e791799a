import { runAttacks } from './support/attack.js';
import { smuggling } from './tables/smuggling.js';

runAttacks('X claims nobody may bring along', smuggling);
