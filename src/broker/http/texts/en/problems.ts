/** What did not work, why, and what to do now, in English. */
export const problems = {
  request: {
    title: 'This request cannot be answered',
    message: 'Something about the request that brought you here is not right.',
    advice:
      'Go back to the application you came from and start again. If it happens again, send the details below to whoever runs that application.',
  },
  expired: {
    title: 'This page has expired',
    message:
      'It was open for too long, was already answered, or belongs to another browser. Nothing more was allowed.',
    advice: 'Go back to the application you came from and start again.',
  },
  formExpired: {
    title: 'This page has expired',
    message: 'It was open for too long, so your answer was not used. Nothing was allowed.',
    advice: 'Go back, load the page again and answer once more.',
  },
  foreignForm: {
    title: 'This did not come from our page',
    message: 'Another website tried to answer in your place. Nothing was allowed.',
    advice:
      'Close the page you came from. If you were answering our own page, load it again and answer once more.',
  },
  unknownClient: {
    title: 'We do not know this application',
    message: 'The application that sent you here is not registered, or is no longer.',
    advice:
      'Do not give it your password. If you trust it, send the details below to whoever runs it.',
  },
  redirectUri: {
    title: 'This link is not safe to follow',
    message:
      'The answer would go to an address that the application has not registered, so we stopped here.',
    advice:
      'If you came from a link in a message, close this page. Otherwise send the details below to whoever runs the application.',
  },
  notFound: {
    title: 'There is nothing here',
    message: 'This address does not belong to any page.',
    advice: 'Check the address, or go back to the application you came from.',
  },
  wrongMethod: {
    title: 'This address is not a page',
    message: 'It is meant for programs, or was opened in another way than it should be.',
    advice: 'Go back to the application you came from and start again.',
  },
  tooLong: {
    title: 'This is too much at once',
    message: 'The form that was sent is longer than any answer can be, so it was not read.',
    advice: 'Go back, enter less and send it again.',
  },
  server: {
    title: 'Something went wrong on our side',
    message: 'It is not your fault, and nothing was allowed by it.',
    advice:
      'Try again in a moment. If it happens again, tell whoever runs this service the request number below.',
  },
  unavailable: {
    title: 'We cannot answer right now',
    message: 'A part of this service is not reachable at the moment. Nothing was lost.',
    advice: 'Wait a few seconds and load this page again.',
  },
} as const;

export const problemDetails = {
  title: 'Details for support',
  what: 'What happened',
  code: 'Code',
  request: 'Request number',
  time: 'Time',
} as const;
