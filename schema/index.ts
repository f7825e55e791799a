/** The one schema, for PostgreSQL and PGlite alike. */
export * from './delegations.js';
export * from './engine.js';
export * from './ledger.js';
export * from './principals.js';
export * from './registrations.js';
export * from './resources.js';
