import { runAttacks } from './support/attack.js';
import { interaction } from './tables/interaction.js';

runAttacks('I sign-in and consent', interaction);
