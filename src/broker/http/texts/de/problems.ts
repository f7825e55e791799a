/** What did not work, and what to do now, in German. */
export const error = {
  title: 'Das hat nicht geklappt',
  advice: 'Gehen Sie zurück zu der Anwendung, aus der Sie kommen, und versuchen Sie es erneut.',
  details: 'Angaben für den Support',
  code: 'Code',
  request: 'Anfrage',
} as const;
