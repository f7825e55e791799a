import { runAttacks } from './support/attack.js';
import { native } from './tables/native.js';

runAttacks('A native apps: loopback, custom schemes, no origin', native);
