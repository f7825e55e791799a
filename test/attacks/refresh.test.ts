import { runAttacks } from './support/attack.js';
import { refresh } from './tables/refresh.js';

runAttacks('R refresh tokens', refresh);
