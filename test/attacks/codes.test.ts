import { runAttacks } from './support/attack.js';
import { codes } from './tables/codes.js';

runAttacks('C codes and PKCE', codes);
