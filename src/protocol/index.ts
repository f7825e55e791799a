/** The words of the specifications, shared by broker, verifier and agent. No I/O, no dependencies. */
export * from './act.js';
export * from './challenge.js';
export * from './claims.js';
export * from './names.js';
export * from './oauth-error.js';
export * from './revocation.js';
export * from './scope.js';
export * from './token-id.js';
export * from './urls.js';
