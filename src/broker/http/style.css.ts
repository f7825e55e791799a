/** The one stylesheet. Its address contains its hash, so it may be kept for ever. */
import { createHash } from 'node:crypto';
import { components } from './style-components.css.js';
import { foundation } from './style-foundation.css.js';
import { ownPages } from './style-me.css.js';

export interface Stylesheet {
  readonly path: string;
  readonly body: string;
  readonly etag: string;
}

const HASH_CHARS = 16;

function build(): Stylesheet {
  const body = `${foundation}\n${components}\n${ownPages}`;
  const hash = createHash('sha256').update(body).digest('hex').slice(0, HASH_CHARS);
  return { path: `/assets/behalf.${hash}.css`, body, etag: `"${hash}"` };
}

export const stylesheet: Stylesheet = build();
