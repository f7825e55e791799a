import { runAttacks } from './support/attack.js';
import { ownPages } from './tables/me.js';

runAttacks('I, L, M the own pages', ownPages);
