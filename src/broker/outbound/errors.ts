/** Why something was not fetched. The text is one for all causes: who asked learns nothing of a network. */

export type OutboundReason =
  /** No URL that is ever fetched. */
  | 'url'
  /** An address, or one of a name's, is not public. */
  | 'address'
  /** The name was not resolved, or not completely. */
  | 'name'
  | 'connection'
  | 'timeout'
  /** Anything but 200, redirects too; the cause is the number. */
  | 'status'
  | 'encoding'
  | 'type'
  | 'size'
  /** Not a JSON object. */
  | 'json'
  /** Too much is being fetched, from there or altogether. */
  | 'busy';

export interface OutboundError extends Error {
  readonly reason: OutboundReason;
}

const NAME = 'OutboundError';

export const outboundError = (reason: OutboundReason, cause?: unknown): OutboundError =>
  Object.assign(new Error('it could not be fetched', { cause }), { name: NAME, reason });

export const isOutboundError = (error: unknown): error is OutboundError =>
  error instanceof Error && error.name === NAME;
