import { runAttacks } from './support/attack.js';
import { jose } from './tables/jose.js';

runAttacks('J signed things', jose);
