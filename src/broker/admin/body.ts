/** JSON bodies of the admin API: bounded, UTF-8, not nested without end. */
import type { Context } from 'koa';
import { OAuthError } from '../../protocol/index.js';
import { readBody } from '../http/body.js';
import { invalid } from '../registry/refusal.js';
import { httpProblem } from './problem.js';

const BODY_MAX_BYTES = 256 * 1024;
const JSON_DEPTH_MAX = 32;
/** RFC 8259 §8.1: JSON is UTF-8, and says so or nothing. */
const JSON_TYPE = /^application\/json\s*(?:;\s*charset\s*=\s*"?utf-8"?\s*)?$/i;

/** @throws what answers 415, 413 or 400 */
export async function readJson(ctx: Context): Promise<unknown> {
  if (!JSON_TYPE.test(ctx.get('Content-Type'))) {
    throw httpProblem(415, 'Send application/json');
  }
  const read = readBody(ctx.req, BODY_MAX_BYTES).catch((error: unknown) => {
    if (error instanceof OAuthError) {
      throw httpProblem(413, `The body is longer than ${BODY_MAX_BYTES} bytes`);
    }
    // RFC 9112 §8: it ended early, or not as it said.
    throw httpProblem(400, 'The body did not arrive whole');
  });
  const text = decode(await read);
  if (depthOf(text) > JSON_DEPTH_MAX) {
    throw invalid({ path: [], message: 'the body is nested too deeply' });
  }
  try {
    return JSON.parse(text === '' ? '{}' : text);
  } catch {
    throw invalid({ path: [], message: 'the body is not JSON' });
  }
}

/** No octet is replaced in silence: a name is stored as it was sent, or not at all (P5, P9). */
function decode(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw invalid({ path: [], message: 'the body is not UTF-8' });
  }
}

/** Deepest nesting of brackets outside strings: counted before anything recursive reads it (P2). */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (inString) {
      if (char === '\\') at += 1;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{' || char === '[') deepest = Math.max(deepest, ++depth);
    else if (char === '}' || char === ']') depth -= 1;
  }
  return deepest;
}
