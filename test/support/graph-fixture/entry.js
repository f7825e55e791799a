// For architecture.test.ts: a small graph that hides its imports in every way there is.

export { platform } from '#platform';
export * from './inner.js';
