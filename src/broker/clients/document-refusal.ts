/** Why the client of a document is nobody: a sentence for whoever wrote it, a reason for the operator. */

export interface DocumentRefusal extends Error {
  readonly sentence: string;
  readonly reason: string;
  /** Too many at once: no fault of the document. */
  readonly busy: boolean;
}

const NAME = 'DocumentRefusal';

export const UNKNOWN = 'client_id is not a client of this server';
/** One sentence for whatever happened on the way (S4). */
export const NOT_FETCHED = 'the client ID metadata document could not be fetched';
const BUSY = 'too many new clients at once: try again later';

export const refuse = (sentence: string, reason = sentence, busy = false): DocumentRefusal =>
  Object.assign(new Error(reason), { name: NAME, sentence, reason, busy });

export const tooMany = (reason: string): DocumentRefusal => refuse(BUSY, reason, true);

export const isDocumentRefusal = (error: unknown): error is DocumentRefusal =>
  error instanceof Error && error.name === NAME;
