/** Query parameters of lists: bounded, and refused when unknown. */
import { z } from 'zod';
import { strict } from '../registry/fields.js';
import { PAGE_MAX } from '../registry/page.js';

const limit = z.coerce.number().int().min(1).max(PAGE_MAX).optional();
const word = z.string().min(1).max(500).optional();

export const pageQuery = strict({ cursor: word, limit });
export const userQuery = strict({ cursor: word, limit, email: word });
export const permissionQuery = strict({ cursor: word, limit, principal: word, resource: word });
const live = z.enum(['true', 'false']).optional();
export const delegationQuery = strict({
  cursor: word,
  limit,
  user: word,
  agent: word,
  client: word,
  live,
});
export const auditQuery = strict({
  cursor: word,
  limit,
  type: word,
  sub: word,
  agent: word,
  client: word,
  resource: word,
  grant: word,
});
