import { runAttacks } from './support/attack.js';
import { requestForgery } from './tables/ssrf.js';

runAttacks('S where the broker may be sent', requestForgery, { trustedProxies: 1 });
