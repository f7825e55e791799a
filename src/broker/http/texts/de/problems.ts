/** What did not work, why, and what to do now, in German. */
export const problems = {
  request: {
    title: 'Diese Anfrage lässt sich nicht beantworten',
    message: 'An der Anfrage, die Sie hierher geführt hat, stimmt etwas nicht.',
    advice:
      'Gehen Sie zurück zu der Anwendung, aus der Sie kommen, und beginnen Sie neu. Geschieht es wieder, geben Sie die Angaben unten an deren Betreiber weiter.',
  },
  expired: {
    title: 'Diese Seite ist abgelaufen',
    message:
      'Sie war zu lange offen, wurde schon beantwortet oder gehört zu einem anderen Browser. Es wurde nichts weiter erlaubt.',
    advice: 'Gehen Sie zurück zu der Anwendung, aus der Sie kommen, und beginnen Sie neu.',
  },
  formExpired: {
    title: 'Diese Seite ist abgelaufen',
    message:
      'Sie war zu lange offen, deshalb wurde Ihre Antwort nicht verwendet. Es wurde nichts erlaubt.',
    advice: 'Gehen Sie zurück, laden Sie die Seite neu und antworten Sie noch einmal.',
  },
  foreignForm: {
    title: 'Das kam nicht von unserer Seite',
    message: 'Eine andere Website wollte an Ihrer Stelle antworten. Es wurde nichts erlaubt.',
    advice:
      'Schließen Sie die Seite, von der Sie kommen. Haben Sie auf unserer eigenen Seite geantwortet, laden Sie sie neu und antworten Sie noch einmal.',
  },
  unknownClient: {
    title: 'Wir kennen diese Anwendung nicht',
    message: 'Die Anwendung, die Sie hierher geschickt hat, ist nicht oder nicht mehr registriert.',
    advice:
      'Geben Sie ihr nicht Ihr Passwort. Wenn Sie ihr vertrauen, geben Sie die Angaben unten an deren Betreiber weiter.',
  },
  redirectUri: {
    title: 'Diesem Link zu folgen ist nicht sicher',
    message:
      'Die Antwort ginge an eine Adresse, die die Anwendung nicht registriert hat. Deshalb geht es hier nicht weiter.',
    advice:
      'Kamen Sie über einen Link in einer Nachricht, schließen Sie diese Seite. Sonst geben Sie die Angaben unten an den Betreiber der Anwendung weiter.',
  },
  notFound: {
    title: 'Hier ist nichts',
    message: 'Diese Adresse gehört zu keiner Seite.',
    advice: 'Prüfen Sie die Adresse oder gehen Sie zurück zu der Anwendung, aus der Sie kommen.',
  },
  wrongMethod: {
    title: 'Diese Adresse ist keine Seite',
    message: 'Sie ist für Programme gedacht oder wurde anders geöffnet als vorgesehen.',
    advice: 'Gehen Sie zurück zu der Anwendung, aus der Sie kommen, und beginnen Sie neu.',
  },
  tooLong: {
    title: 'Das ist zu viel auf einmal',
    message:
      'Das gesendete Formular ist länger, als eine Antwort sein kann, und wurde nicht gelesen.',
    advice: 'Gehen Sie zurück, geben Sie weniger ein und senden Sie es noch einmal.',
  },
  server: {
    title: 'Bei uns ist etwas schiefgegangen',
    message: 'Es liegt nicht an Ihnen, und es wurde dadurch nichts erlaubt.',
    advice:
      'Versuchen Sie es gleich noch einmal. Geschieht es wieder, nennen Sie dem Betreiber dieses Dienstes die Nummer der Anfrage unten.',
  },
  unavailable: {
    title: 'Wir können gerade nicht antworten',
    message: 'Ein Teil dieses Dienstes ist im Moment nicht erreichbar. Es ging nichts verloren.',
    advice: 'Warten Sie einige Sekunden und laden Sie diese Seite neu.',
  },
} as const;

export const problemDetails = {
  title: 'Angaben für den Support',
  what: 'Was geschehen ist',
  code: 'Code',
  request: 'Nummer der Anfrage',
  time: 'Zeit',
} as const;
