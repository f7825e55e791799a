/**
 * A form that was forged, replayed or belongs to somebody else is known to the audit (I1, I7), and what a
 * resource server was not let say: around the pages for people and the reports of programs. Whoever sends it need not be anybody, so a bounded number is written down.
 */
import type { Middleware } from 'koa';
import { OAuthError } from '../../protocol/index.js';
import { masked } from '../http/masked.js';
import { addressOf, requestState } from '../http/request.js';
import type { RefusalLog } from './refusals.js';

export const notingRefusals =
  ({ note }: RefusalLog): Middleware =>
  async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      if (error instanceof OAuthError) {
        const { id: requestId, story, credentialId } = requestState(ctx);
        const by = credentialId === undefined ? undefined : story?.clientId;
        const detail = { ...story?.detail, code: error.code, reason: masked(error.reason) };
        const event = { type: 'request.refused', by, requestId, ...story, detail } as const;
        await note(event, addressOf(ctx.req));
      }
      throw error;
    }
  };
