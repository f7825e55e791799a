/** What was asked for and cannot be allowed, and by whom it is blocked. */

import { Icon } from '../http/icons.js';
import { useLanguage } from '../http/language.js';
import { Name, Sentence } from '../http/page.js';
import type { ConsentPageModel, ShownTakenAway } from '../http/page-model.js';
import { Title } from './scope-views.js';

/** The words of this page. */
const useTexts = () => useLanguage().texts.consent;

export function TakenAway({ model }: { readonly model: ConsentPageModel }) {
  const t = useTexts();
  const { takenAway, resource } = model;
  if (takenAway.length === 0) return null;
  return (
    <section aria-labelledby="blocked">
      <h2 id="blocked">{t.takenAwayTitle}</h2>
      <p class="quiet">{t.takenAwayIntro}</p>
      <ul class="plain rows blocked">
        {takenAway.map((one) => (
          <li key={one.name}>
            <div class="row">
              <Icon of="cross" />
              <div>
                <Title scope={one} />
                {one.by.map((who) => (
                  <p class="quiet" key={who}>
                    <WhoTook who={who} resourceName={resource?.name ?? ''} />
                  </p>
                ))}
              </div>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

type Taker = ShownTakenAway['by'][number];

function WhoTook({ who, resourceName }: { readonly who: Taker; readonly resourceName: string }) {
  const words = useTexts().takenAway satisfies Record<Taker, string>;
  if (who !== 'resource') return <>{words[who]}</>;
  return (
    <Sentence text={words.resource} places={{ resource: <Name plain>{resourceName}</Name> }} />
  );
}
