import { runAttacks } from './support/attack.js';
import { clientDocumentAttacks } from './tables/client-documents.js';

runAttacks('K clients that are known by a document', clientDocumentAttacks);
