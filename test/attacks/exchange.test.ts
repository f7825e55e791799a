import { runAttacks } from './support/attack.js';
import { exchange } from './tables/exchange.js';

runAttacks('X token exchange, and what of J, L and R goes through it', exchange);
