/** What the user's own pages share: who is signed in, the way between them, forms that only we make. */
import type { ComponentChildren } from 'preact';
import { useLanguage, useOwn } from '../http/language.js';
import { Name, renderPage, Sentence } from '../http/page.js';
import type { Language } from '../http/texts/index.js';

export interface Signed {
  readonly name: string;
  readonly email: string;
  /** This browser's session, for its sign-out. */
  readonly sessionId: string;
  /** Opaque, signed: that a form is of this session. */
  readonly form: string;
}

export type Place = 'acting' | 'sessions' | 'password';

const PATHS: Readonly<Record<Place, string>> = {
  acting: '/me',
  sessions: '/me/sessions',
  password: '/me/password',
};

export interface Shell {
  readonly title: string;
  readonly signed: Signed;
  /** Which of the pages it is; none: a question in between. */
  readonly place?: Place;
  readonly children: ComponentChildren;
}

export const renderShell = (language: Language, shell: Shell): string =>
  renderPage({ language, title: shell.title, content: <Inside {...shell} /> });

function Inside({ signed, place, children }: Shell) {
  const { me } = useLanguage().texts;
  return (
    <>
      <div class="own">
        <p class="quiet">
          <Sentence text={me.signedInAs} places={{ name: <Name key="name">{signed.name}</Name> }} />
          <span class="address quiet">
            <Name plain={true}>{signed.email}</Name>
          </span>
        </p>
        <OwnForm action={`/me/sessions/${signed.sessionId}/end`} form={signed.form}>
          <button type="submit" class="button small">
            {me.nav.signOut}
          </button>
        </OwnForm>
      </div>
      <nav class="ways" aria-label={me.nav.label}>
        <ul class="plain">
          {(Object.keys(PATHS) as Place[]).map((one) => (
            <li key={one}>
              <OwnLink to={PATHS[one]} {...(one === place ? { 'aria-current': 'page' } : {})}>
                {me.nav[one]}
              </OwnLink>
            </li>
          ))}
        </ul>
      </nav>
      {children}
    </>
  );
}

/** A form of ours, sealed to the session it was made for (I1). */
export function OwnForm(props: {
  readonly action: string;
  readonly form: string;
  readonly class?: string;
  readonly children: ComponentChildren;
}) {
  const own = useOwn();
  return (
    <form method="post" action={own(props.action)} {...(props.class ? { class: props.class } : {})}>
      <input type="hidden" name="form" value={props.form} />
      {props.children}
    </form>
  );
}

/** To another page of ours. */
export function OwnLink(props: {
  readonly to: string;
  readonly class?: string;
  readonly 'aria-label'?: string;
  readonly 'aria-current'?: 'page';
  readonly children: ComponentChildren;
}) {
  const { to, children, ...more } = props;
  const own = useOwn();
  return (
    <a href={own(to)} {...more}>
      {children}
    </a>
  );
}

/** Terms and what they are; values may hold elements. */
export function Terms({
  rows,
}: {
  readonly rows: ReadonlyArray<readonly [string, ComponentChildren]>;
}) {
  return (
    <dl class="facts">
      {rows.map(([term, value]) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
