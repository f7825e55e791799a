/** Signing in and out, in English. */
export const signIn = {
  title: 'Sign in',
  heading: 'Sign in',
  titleAgain: 'Confirm that it is you',
  headingAgain: 'Confirm that it is you',
  again: 'You are signed in already. To go on, enter your password once more.',
  againFor:
    'This can only be allowed soon after signing in: {scopes}. Enter your password once more.',
  forClient: 'to continue to {client}',
  forAgent: 'to decide what {agent} may do for you, through {client}',
  forSelf: 'to see and stop what acts for you',
  email: 'E-mail address',
  password: 'Password',
  submit: 'Sign in',
  wrong: 'The e-mail address or the password is not right. Check both and try again.',
  throttled: 'Too many attempts. Try again in {wait}.',
  throttledSoon: 'Too many attempts. Try again in a moment.',
  problemTitle: 'Error: sign in',
  promise: 'Your password stays here. No application or agent ever sees it.',
} as const;

export const signOut = {
  title: 'Sign out?',
  message: 'You will be signed out of this browser. What you allowed goes on until you stop it.',
  confirm: 'Sign out',
  stay: 'Stay signed in',
} as const;

export const signedOut = {
  title: 'You are signed out',
  message: 'This browser is signed out. What you allowed goes on until you stop it.',
  advice: 'You can close this window.',
} as const;

/** Between us and the application, where the browser goes on by itself if it may run scripts. */
export const handOver = {
  title: 'One moment',
  message: 'We are sending your answer on.',
  go: 'Continue',
} as const;
