/** Changing the own password. */
import { useLanguage } from '../http/language.js';
import { renderPage } from '../http/page.js';
import { type Language, phrase } from '../http/texts/index.js';
import { OwnForm, OwnLink, renderShell, type Signed } from './shell.js';

export type PasswordProblem = 'wrong' | 'unfit' | 'same' | 'throttled';

export interface PasswordPage {
  readonly signed: Signed;
  readonly problem?: PasswordProblem;
  readonly retryAfterSeconds?: number | undefined;
}

export const renderPassword = (page: PasswordPage, language: Language): string => {
  const t = language.texts.me.password;
  return renderShell(language, {
    title: page.problem === undefined ? t.title : t.problemTitle,
    signed: page.signed,
    place: 'password',
    children: <Password page={page} />,
  });
};

/** Which field a problem is about. */
const FIELD_OF: Readonly<Record<PasswordProblem, 'current' | 'next' | undefined>> = {
  wrong: 'current',
  unfit: 'next',
  same: 'next',
  throttled: undefined,
};

function Password({ page }: { readonly page: PasswordPage }) {
  const language = useLanguage();
  const t = language.texts.me.password;
  const { problem, signed } = page;
  const about = problem === undefined ? undefined : FIELD_OF[problem];
  const fault = (field: 'current' | 'next') => {
    const described = [field === 'next' ? 'hint' : '', about === field ? 'problem' : ''];
    const ids = described.filter((id) => id !== '').join(' ');
    return {
      ...(ids === '' ? {} : { 'aria-describedby': ids }),
      ...(about === field ? { 'aria-invalid': true as const } : {}),
    };
  };
  return (
    <>
      <h1>{t.title}</h1>
      <p class="lead">{t.lead}</p>
      <div role="alert" id="problem">
        {problem === undefined ? null : <p class="notice problem">{problemText(page, language)}</p>}
      </div>
      <OwnForm action="/me/password" form={signed.form} class="stack">
        {/* For password managers: whose password it is. */}
        <input type="text" name="username" autocomplete="username" value={signed.email} hidden />
        <Field name="current" label={t.current} fault={fault('current')} />
        <Field name="next" label={t.next} fault={fault('next')} hint={t.hint} />
        <button type="submit" class="button primary">
          {t.submit}
        </button>
      </OwnForm>
    </>
  );
}

function Field(props: {
  readonly name: 'current' | 'next';
  readonly label: string;
  readonly fault: Readonly<Record<string, string | boolean>>;
  readonly hint?: string;
}) {
  const { name, label, fault, hint } = props;
  return (
    <div class="field">
      <label for={name}>{label}</label>
      <input
        id={name}
        name={name}
        type="password"
        autocomplete={name === 'next' ? 'new-password' : 'current-password'}
        required
        maxLength={1024}
        {...fault}
      />
      {hint === undefined ? null : (
        <p class="quiet" id="hint">
          {hint}
        </p>
      )}
    </div>
  );
}

function problemText(page: PasswordPage, { texts, duration }: Language): string {
  const { problem, retryAfterSeconds = 1 } = page;
  const t = texts.me.password;
  if (problem === 'throttled')
    return phrase(texts.signIn.throttled, { wait: duration(retryAfterSeconds) });
  return problem === undefined ? '' : t[problem];
}

/** Nobody is signed in any more: this page stands alone. */
export const renderPasswordChanged = (language: Language): string => {
  const { password, everywhere } = language.texts.me;
  return renderPage({
    language,
    title: password.done,
    content: (
      <>
        <h1>{password.done}</h1>
        <p class="lead">{password.doneLead}</p>
        <p>
          <OwnLink to="/me">{everywhere.again}</OwnLink>
        </p>
      </>
    ),
  });
};
