/** Every noun of the command line. */
import type { Noun } from './noun.js';
import { PRINCIPAL_NOUNS } from './principal-nouns.js';
import { RESOURCE_NOUNS } from './resource-nouns.js';

export const NOUNS: readonly Noun[] = [...PRINCIPAL_NOUNS, ...RESOURCE_NOUNS];
