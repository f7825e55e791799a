import { runAttacks } from './support/attack.js';
import { registration } from './tables/registration.js';

runAttacks('A, K clients that register themselves', registration);
