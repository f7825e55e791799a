import { runAttacks } from './support/attack.js';
import { redirects } from './tables/redirects.js';
import { requests } from './tables/requests.js';

runAttacks('A the authorization endpoint and its redirects', [...redirects, ...requests]);
