/** The two hosts that a phished person can check: whose document it is, and where the answer goes. */

import { useLanguage } from '../http/language.js';
import { Name, Sentence } from '../http/page.js';
import type { ConsentPageModel } from '../http/page-model.js';

interface Props {
  readonly model: ConsentPageModel;
}

const useTexts = () => useLanguage().texts.consent;

/** A host is shown whole (RFC 1035 §2.3.4, and a port): what counts of it is its end. */
const HOST_CHARS_MAX = 260;

/** A name is anybody's to choose, the host of a document is not (CIMD: the host, clearly; K12). */
export function Introduction({ model: { client, redirect } }: Props) {
  const { before, hint, hintNative } = useTexts().introduction;
  if (client.introducedBy === undefined) return null;
  return (
    <div class="notice caution">
      <p>
        <Sentence text={before} places={{ client: <Name>{client.name}</Name> }} />
      </p>
      <p class="destination">
        <Name plain charsMax={HOST_CHARS_MAX}>
          {client.introducedBy}
        </Name>
      </p>
      <p class="quiet">{redirect.kind === 'web' ? hint : hintNative}</p>
    </div>
  );
}

/** Where the answer goes is what a phished person can check (MCP: the host, clearly). */
export function Redirect({ model: { redirect } }: Props) {
  const words = useTexts().redirect[redirect.kind];
  return (
    <div class={redirect.kind === 'web' ? 'notice' : 'notice caution'}>
      <p>{words.before}</p>
      <p class="destination">
        <Name plain charsMax={HOST_CHARS_MAX}>
          {redirect.display}
        </Name>
      </p>
      <p class="quiet">{words.hint}</p>
    </div>
  );
}
