/** The consent page, in English. */
export const consent = {
  titleAgent: 'Let {agent} act for you?',
  titleClient: 'Let {client} act for you?',
  titleIdentity: 'Sign in to {client}?',
  headingAgent: '{agent} wants to act {forYou} on {resource}',
  headingClient: '{client} wants to use {resource} {forYou}',
  headingIdentity: '{client} wants to know who you are',
  forYou: 'for you',
  agentOrigin: 'Run by {owner}, opening through {client}.',
  agentOriginItself: 'Run by {owner}.',

  identitySummary: 'Who is asking',
  agentName: 'Agent',
  agentId: 'Agent id',
  owner: 'Run by',
  purpose: 'Purpose',
  about: 'About',
  clientName: 'Application',
  clientId: 'Application id',
  resourceName: 'Service',
  resourceId: 'Service address',

  signedInAs: 'Signed in as {name}',
  notYou: 'Not you?',

  redirect: {
    web: { before: 'Afterwards you go to', hint: 'Stop here if you do not know this address.' },
    loopback: {
      before: 'Afterwards you return to a program on this computer',
      hint: 'Continue only if you just started this yourself, on this computer.',
    },
    app: {
      before: 'Afterwards an app on this device opens',
      hint: 'Continue only if you just started this yourself, in that app.',
    },
  },

  /** OpenID Connect's own scopes (OIDC Core §5.4): nobody's registry names them. */
  identityTitles: {
    openid: 'Know that it is you',
    profile: 'See your name',
    email: 'See your e-mail address',
  },
  scopesLegend: 'What it may do',
  scopesLegendIdentity: 'What it may know',
  scopesHint: 'Untick what you do not want. If nothing is ticked, nothing is allowed.',
  scopesHintIdentity: 'Untick what you do not want to share.',
  nothingLeft: 'Nothing of what was asked for can be allowed.',
  groups: {
    read: { title: 'Look, without changing anything', mark: 'Read', hint: '' },
    write: { title: 'Add and change', mark: 'Change', hint: '' },
    destructive: {
      title: 'Delete, or do what cannot be undone',
      mark: 'No undo',
      hint: 'Not ticked for you. Tick only what may happen without asking you again.',
    },
    identity: { title: 'Know about you', mark: 'You', hint: '' },
  },
  always: 'Always part of signing in.',
  toolsInline: 'Used by {tools}',
  toolsSummary: { one: 'Used by {count} tool', other: 'Used by {count} tools' },

  takenAwayTitle: 'Asked for, but blocked',
  takenAwayIntro: 'None of this is allowed, whatever you choose here.',
  takenAway: {
    resource: '{resource} has no such permission.',
    user: 'You do not have this yourself, so you cannot pass it on.',
    agent: 'Your organisation does not allow this agent to do this.',
    client: 'Your organisation does not allow this application to be used for this.',
    consent: 'You decided against this before.',
    parent: 'Whoever passed this work on does not have it either.',
  },

  neverTitle: 'What it can never do',
  never: [
    'See or change your password.',
    'Do more than you tick here, or pass more than that on to others.',
    'Go on after the time you choose.',
  ],
  neverIdentity: ['See or change your password.', 'Do anything in your name.'],

  durationLegend: 'For how long',
  stopAnyTime: 'You can stop this at any time.',
  allow: 'Allow',
  deny: 'Don’t allow',
} as const;
