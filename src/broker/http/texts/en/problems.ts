/** What did not work, and what to do now, in English. */
export const error = {
  title: 'This did not work',
  advice: 'Go back to the application you came from and try again.',
  details: 'Details for support',
  code: 'Code',
  request: 'Request',
} as const;
