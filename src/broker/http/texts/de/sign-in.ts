/** Signing in and out, in German. */
export const signIn = {
  title: 'Anmelden',
  heading: 'Anmelden',
  titleAgain: 'Bestätigen Sie, dass Sie es sind',
  headingAgain: 'Bestätigen Sie, dass Sie es sind',
  again: 'Sie sind schon angemeldet. Geben Sie Ihr Passwort noch einmal ein, um fortzufahren.',
  againFor:
    'Dies lässt sich nur kurz nach dem Anmelden erlauben: {scopes}. Geben Sie Ihr Passwort noch einmal ein.',
  forClient: 'und weiter zu {client}',
  forAgent: 'um zu entscheiden, was {agent} über {client} für Sie tun darf',
  forSelf: 'und sehen und beenden, was für Sie handelt',
  email: 'E-Mail-Adresse',
  password: 'Passwort',
  submit: 'Anmelden',
  wrong:
    'E-Mail-Adresse oder Passwort stimmt nicht. Prüfen Sie beides und versuchen Sie es erneut.',
  throttled: 'Zu viele Versuche. Versuchen Sie es in {wait} erneut.',
  throttledSoon: 'Zu viele Versuche. Versuchen Sie es gleich noch einmal.',
  problemTitle: 'Fehler: Anmelden',
  promise: 'Ihr Passwort bleibt hier. Keine Anwendung und kein Agent bekommt es je zu sehen.',
} as const;

export const signOut = {
  title: 'Abmelden?',
  message:
    'Sie werden in diesem Browser abgemeldet. Was Sie erlaubt haben, gilt weiter, bis Sie es beenden.',
  confirm: 'Abmelden',
  stay: 'Angemeldet bleiben',
} as const;

export const signedOut = {
  title: 'Sie sind abgemeldet',
  message: 'Dieser Browser ist abgemeldet. Was Sie erlaubt haben, gilt weiter, bis Sie es beenden.',
  advice: 'Sie können dieses Fenster schließen.',
} as const;

/** Between us and the application, where the browser goes on by itself if it may run scripts. */
export const handOver = {
  title: 'Einen Moment',
  message: 'Wir leiten Ihre Antwort weiter.',
  go: 'Weiter',
} as const;
