import { runAttacks } from './support/attack.js';
import { jose } from './tables/jose.js';
import { atVerifier } from './tables/verifier.js';

runAttacks('J signed things', [...jose, ...atVerifier]);
