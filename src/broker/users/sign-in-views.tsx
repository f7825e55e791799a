/** The sign-in page, and the question before signing out. They decide nothing. */

import { useLanguage, useOwn } from '../http/language.js';
import { Name, renderPage, Sentence } from '../http/page.js';
import type { SignInPageModel } from '../http/page-model.js';
import { type Language, phrase } from '../http/texts/index.js';

export const renderSignIn = (model: SignInPageModel, language: Language): string => {
  const { title, titleAgain, problemTitle } = language.texts.signIn;
  return renderPage({
    language,
    narrow: true,
    title: model.problem !== undefined ? problemTitle : model.again ? titleAgain : title,
    content: <SignIn model={model} />,
  });
};

function SignIn({ model }: { readonly model: SignInPageModel }) {
  const { problem } = model;
  const language = useLanguage();
  const own = useOwn();
  const t = language.texts.signIn;
  const fault = problem === undefined ? {} : { 'aria-describedby': 'problem' };
  const invalid = problem === 'wrong' ? { ...fault, 'aria-invalid': true as const } : fault;
  return (
    <>
      <h1>{model.again === undefined ? t.heading : t.headingAgain}</h1>
      <p class="lead">
        <For model={model} />
      </p>
      {model.again === undefined ? null : <WhyAgain scopes={model.again.scopes} />}
      <div role="alert" id="problem">
        {problem === undefined ? null : (
          <p class="notice problem">{problemText(model, language)}</p>
        )}
      </div>
      <form method="post" action={own(model.action)} class="stack">
        <input type="hidden" name="form" value={model.form} />
        <div class="field">
          <label for="email">{t.email}</label>
          {/* Not type=email: browsers rewrite international domains in it before sending. */}
          <input
            id="email"
            name="email"
            type="text"
            inputMode="email"
            autocomplete="username"
            autocapitalize="none"
            spellcheck={false}
            required
            maxLength={254}
            value={model.email ?? ''}
            {...invalid}
          />
        </div>
        <div class="field">
          <label for="password">{t.password}</label>
          <input
            id="password"
            name="password"
            type="password"
            autocomplete="current-password"
            required
            maxLength={1024}
            {...invalid}
          />
        </div>
        <button type="submit" class="button primary">
          {t.submit}
        </button>
      </form>
      <p class="quiet">{t.promise}</p>
    </>
  );
}

/** Which password prompt this is must not be a surprise: that is what phishing looks like. */
function WhyAgain({ scopes }: { readonly scopes: readonly string[] }) {
  const { texts, list } = useLanguage();
  const t = texts.signIn;
  if (scopes.length === 0) return <p class="notice">{t.again}</p>;
  return (
    <p class="notice">
      <Sentence text={t.againFor} places={{ scopes: <Name charsMax={600}>{list(scopes)}</Name> }} />
    </p>
  );
}

function For({ model: { agent, client } }: { readonly model: SignInPageModel }) {
  const t = useLanguage().texts.signIn;
  if (client === undefined) return <>{t.forSelf}</>;
  const clientName = <Name key="client">{client.name}</Name>;
  if (agent === undefined) return <Sentence text={t.forClient} places={{ client: clientName }} />;
  const agentName = <Name key="agent">{agent.name}</Name>;
  return <Sentence text={t.forAgent} places={{ agent: agentName, client: clientName }} />;
}

function problemText(
  { problem, retryAfterSeconds }: SignInPageModel,
  { texts, duration }: Language,
): string {
  const t = texts.signIn;
  if (problem === 'wrong') return t.wrong;
  if (retryAfterSeconds === undefined) return t.throttledSoon;
  return phrase(t.throttled, { wait: duration(retryAfterSeconds) });
}

export interface SignOutPageModel {
  /** Where the answer is posted, and the engine's own token for it. */
  readonly action: string;
  readonly xsrf: string;
}

export const renderSignOut = ({ action, xsrf }: SignOutPageModel, language: Language): string => {
  const t = language.texts.signOut;
  return renderPage({
    language,
    narrow: true,
    title: t.title,
    content: (
      <>
        <h1>{t.title}</h1>
        <p class="lead">{t.message}</p>
        <form method="post" action={action} class="choices">
          <input type="hidden" name="xsrf" value={xsrf} />
          <button type="submit" class="button">
            {t.stay}
          </button>
          <button type="submit" name="logout" value="yes" class="button">
            {t.confirm}
          </button>
        </form>
      </>
    ),
  });
};
