/** Reads small request bodies; everything about them is bounded. */
import type { IncomingMessage } from 'node:http';
import { finished } from 'node:stream';
import { OAuthError } from '../../protocol/index.js';
import { refusal } from './refusals.js';

export const FORM_MAX_BYTES = 64 * 1024;
const FIELDS_MAX = 500;

/**
 * What is too long is read on and thrown away: left unread, whatever comes next on this connection,
 * which a proxy may share among many, would wait for ever (P4). The server's limits end it.
 *
 * @throws OAuthError 413 when the body is longer than the limit
 */
export function readBody(req: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    req.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBytes) chunks.push(chunk);
      else reject(refusal('tooLong'));
    });
    // Also when whoever sent it has gone before anybody read.
    finished(req, { writable: false }, (error) => {
      if (error) reject(error);
      else resolve(Buffer.concat(chunks));
    });
  });
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
