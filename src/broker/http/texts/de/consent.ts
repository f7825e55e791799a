/** The consent page, in German. */
export const consent = {
  titleAgent: 'Darf {agent} für Sie handeln?',
  titleClient: 'Darf {client} für Sie handeln?',
  titleIdentity: 'Bei {client} anmelden?',
  headingAgent: '{agent} möchte {forYou} auf {resource} handeln',
  headingClient: '{client} möchte {forYou} auf {resource} zugreifen',
  headingIdentity: '{client} möchte wissen, wer Sie sind',
  forYou: 'für Sie',
  agentOrigin: 'Betrieben von {owner}, geöffnet über {client}.',
  agentOriginItself: 'Betrieben von {owner}.',

  identitySummary: 'Wer fragt hier?',
  agentName: 'Agent',
  agentId: 'Agent-ID',
  owner: 'Betreiber',
  purpose: 'Zweck',
  about: 'Beschreibung',
  clientName: 'Anwendung',
  clientId: 'Anwendungs-ID',
  resourceName: 'Dienst',
  resourceId: 'Adresse des Dienstes',

  signedInAs: 'Angemeldet als {name}',
  notYou: 'Nicht Sie?',

  redirect: {
    web: {
      before: 'Danach geht es weiter zu',
      hint: 'Brechen Sie ab, wenn Sie diese Adresse nicht kennen.',
    },
    loopback: {
      before: 'Danach geht es zurück zu einem Programm auf diesem Computer',
      hint: 'Fahren Sie nur fort, wenn Sie dies gerade selbst auf diesem Computer gestartet haben.',
    },
    app: {
      before: 'Danach öffnet sich eine App auf diesem Gerät',
      hint: 'Fahren Sie nur fort, wenn Sie dies gerade selbst in dieser App gestartet haben.',
    },
  },

  identityTitles: {
    openid: 'Wissen, dass Sie es sind',
    profile: 'Ihren Namen sehen',
    email: 'Ihre E-Mail-Adresse sehen',
  },
  scopesLegend: 'Was erlaubt sein soll',
  scopesLegendIdentity: 'Was mitgeteilt werden soll',
  scopesHint:
    'Entfernen Sie das Häkchen bei allem, was Sie nicht möchten. Ohne Häkchen ist nichts erlaubt.',
  scopesHintIdentity: 'Entfernen Sie das Häkchen bei allem, was Sie nicht teilen möchten.',
  nothingLeft: 'Nichts von dem, worum gebeten wurde, kann erlaubt werden.',
  groups: {
    read: { title: 'Ansehen, ohne etwas zu ändern', mark: 'Lesen', hint: '' },
    write: { title: 'Hinzufügen und ändern', mark: 'Ändern', hint: '' },
    destructive: {
      title: 'Löschen oder Unumkehrbares tun',
      mark: 'Endgültig',
      hint: 'Nicht vorausgewählt. Wählen Sie nur, was ohne weitere Rückfrage geschehen darf.',
    },
    identity: { title: 'Etwas über Sie wissen', mark: 'Sie', hint: '' },
  },
  always: 'Gehört immer zur Anmeldung.',
  toolsInline: 'Gebraucht von {tools}',
  toolsSummary: {
    one: 'Gebraucht von {count} Werkzeug',
    other: 'Gebraucht von {count} Werkzeugen',
  },

  takenAwayTitle: 'Erbeten, aber gesperrt',
  takenAwayIntro: 'Nichts davon ist erlaubt, was immer Sie hier wählen.',
  takenAway: {
    resource: '{resource} kennt diese Berechtigung nicht.',
    user: 'Sie haben dieses Recht selbst nicht und können es nicht weitergeben.',
    agent: 'Ihre Organisation erlaubt diesem Agenten das nicht.',
    client: 'Ihre Organisation erlaubt nicht, diese Anwendung dafür zu verwenden.',
    consent: 'Sie haben sich früher dagegen entschieden.',
    parent: 'Wer diese Arbeit weitergegeben hat, hat dieses Recht auch nicht.',
  },

  neverTitle: 'Was niemals möglich ist',
  never: [
    'Ihr Passwort sehen oder ändern.',
    'Mehr tun, als Sie hier ankreuzen, oder mehr als das an andere weitergeben.',
    'Nach der Zeit weitermachen, die Sie wählen.',
  ],
  neverIdentity: ['Ihr Passwort sehen oder ändern.', 'Irgendetwas in Ihrem Namen tun.'],

  durationLegend: 'Für wie lange',
  stopAnyTime: 'Sie können dies jederzeit beenden.',
  allow: 'Erlauben',
  deny: 'Nicht erlauben',
} as const;
