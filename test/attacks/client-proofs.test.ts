import { runAttacks } from './support/attack.js';
import { clientProofs } from './tables/client-proofs.js';

runAttacks('K clients and their proofs', clientProofs);
