/**
 * A form that was forged, replayed or belongs to somebody else is known to the audit (I1, I7): around
 * the pages for people. Whoever sends it need not be anybody, so a bounded number is written down.
 */
import type { Middleware } from 'koa';
import { OAuthError } from '../../protocol/index.js';
import { addressOf, requestState } from '../http/request.js';
import type { RefusalLog } from './refusals.js';

export const notingRefusals =
  ({ note }: RefusalLog): Middleware =>
  async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      if (error instanceof OAuthError) {
        const { id: requestId, story } = requestState(ctx);
        const detail = { ...story?.detail, code: error.code, reason: error.reason };
        const event = { type: 'request.refused', requestId, ...story, detail } as const;
        await note(event, addressOf(ctx.req));
      }
      throw error;
    }
  };
