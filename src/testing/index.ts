/**
 * For tests of protected servers: an issuer without a network, and a list of tokens that no
 * verifier may accept. Never for production: it signs whatever it is asked to.
 */
export {
  createTestIssuer,
  type DelegatedTokenOptions,
  type TestClaims,
  type TestIssuer,
  type TestIssuerOptions,
} from './issuer.js';
export { type MaliciousToken, maliciousTokens } from './malicious.js';
