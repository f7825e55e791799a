/** That nobody here knows who is behind a client: said where the question is asked. */

import { useLanguage } from '../http/language.js';
import { Name, Sentence } from '../http/page.js';
import type { ConsentPageModel } from '../http/page-model.js';

/** A name can be anybody's: whoever registered it was not looked at (K9). */
export function Unverified({ model: { client } }: { readonly model: ConsentPageModel }) {
  const t = useLanguage().texts.consent.unverified;
  if (client.origin === 'operator') return null;
  return (
    <div class="notice caution">
      <p>
        <span class="badge">{t.badge}</span>{' '}
        <Sentence text={t.says} places={{ client: <Name>{client.name}</Name> }} />
      </p>
      <p class="quiet">{t.hint}</p>
    </div>
  );
}
