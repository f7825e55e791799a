import { runAttacks } from './support/attack.js';
import { consentPage } from './tables/consent-page.js';

runAttacks('I the consent page in full', consentPage);
