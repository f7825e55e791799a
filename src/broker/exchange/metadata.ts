/** What discovery says of token exchange, by mode. */
import { TOKEN_TYPE } from '../../protocol/index.js';
import type { ErrorProfile } from './denials.js';

/** Of ID-JAG's the metadata knows another profile, which is not built. */
const ACTOR_PROFILE = 'urn:ietf:params:oauth:grant-profile:actor-profile';
const TYPES = [TOKEN_TYPE.accessToken, TOKEN_TYPE.jwt];

/** draft-mcguinness-oauth-actor-profile-00 and draft-mora-oauth-entity-profiles-01; nothing else. */
export const exchangeMetadata = (errors: ErrorProfile): Readonly<Record<string, unknown>> =>
  errors === 'rfc8693'
    ? {}
    : {
        actor_profile_token_exchange: {
          subject_token_types_supported: TYPES,
          actor_token_types_supported: TYPES,
          requested_token_types_supported: TYPES,
        },
        authorization_grant_profiles_supported: [ACTOR_PROFILE],
        entity_profiles_supported: {
          client: ['ai_agent', 'service'],
          subject: ['user', 'ai_agent', 'service'],
          actor: ['ai_agent', 'service'],
        },
      };
