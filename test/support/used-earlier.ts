// A use that is over, whatever the machine does: the broker takes what it cannot tell from a race for one.
import type { Database } from '../../src/broker/db/database.js';
import { claimsOf } from './broker.js';

/** Every code and refresh token used under the authorization of this token was used so much earlier. */
export const usedEarlier = (
  db: Pick<Database, 'run'>,
  { access_token }: { readonly access_token: string },
  seconds = 5,
) =>
  db.run(
    `update artifacts set consumed_at = consumed_at - make_interval(secs => $2::float8)
     where grant_id = $1 and consumed_at is not null`,
    [String(claimsOf(access_token).jti).split('.')[1], seconds],
  );
