/**
 * The consent page: who wants to act for whom, where, what it may and may not do,
 * for how long. It shows what it is given and decides nothing; only what is sealed in `shown` can
 * be granted, whatever comes back.
 */
import { useLanguage, useOwn } from '../http/language.js';
import { renderPage } from '../http/page.js';
import type { ConsentPageModel } from '../http/page-model.js';
import { type Language, phrase } from '../http/texts/index.js';
import { Decision, Durations, Helpers, Never } from './answer-views.js';
import { TakenAway } from './blocked-views.js';
import { Changes } from './change-views.js';
import { Introduction, Redirect } from './destination-views.js';
import { Heading, IdentityCard, OwnWords, SignedIn } from './identity-views.js';
import { Scopes } from './scope-views.js';
import { Unverified } from './unverified-view.js';

export { renderError } from './error-view.js';

export const renderConsent = (model: ConsentPageModel, language: Language): string =>
  renderPage({ language, title: titleOf(model, language), content: <Consent model={model} /> });

function titleOf({ agent, client, resource }: ConsentPageModel, { texts }: Language): string {
  const t = texts.consent;
  if (agent !== undefined) return phrase(t.titleAgent, { agent: agent.name });
  return phrase(resource === undefined ? t.titleIdentity : t.titleClient, { client: client.name });
}

/** The forms are two and do not nest: "not you?" stands before the questions. */
function Consent({ model }: { readonly model: ConsentPageModel }) {
  const { actions, shown } = model;
  const own = useOwn();
  return (
    <>
      <Heading model={model} />
      <Unverified model={model} />
      <IdentityCard model={model} />
      <Changes model={model} />
      <SignedIn model={model} />
      <Introduction model={model} />
      <Redirect model={model} />
      <form method="post" action={own(actions.decide)} class="stack wide">
        <EnterMeansNo />
        <input type="hidden" name="shown" value={shown} />
        <Scopes model={model} />
        <TakenAway model={model} />
        <Never model={model} />
        <Durations model={model} />
        <Helpers model={model} />
        <OwnWords model={model} />
        <Decision model={model} />
      </form>
    </>
  );
}

/** The Enter key in a form presses its first button: never one that allows or re-ticks. */
function EnterMeansNo() {
  return (
    <button type="submit" name="decision" value="deny" hidden tabIndex={-1}>
      {useLanguage().texts.consent.deny}
    </button>
  );
}
