/** Reads small request bodies; everything about them is bounded. */
import type { IncomingMessage } from 'node:http';
import { OAuthError } from '../../protocol/index.js';
import { refusal } from './refusals.js';

export const FORM_MAX_BYTES = 64 * 1024;
const FIELDS_MAX = 500;

/** @throws OAuthError 413 when the body is longer than the limit */
export async function readBody(req: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes) throw refusal('tooLong');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** @throws OAuthError `invalid_request` unless it is a form of reasonable size */
export async function readForm(req: IncomingMessage): Promise<URLSearchParams> {
  const type = req.headers['content-type'] ?? '';
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) {
    throw new OAuthError('invalid_request', 'send application/x-www-form-urlencoded');
  }
  const form = new URLSearchParams((await readBody(req, FORM_MAX_BYTES)).toString('utf8'));
  if (form.size > FIELDS_MAX)
    throw new OAuthError('invalid_request', 'the form has too many fields');
  return form;
}
