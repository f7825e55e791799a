/** What somebody would like to read: what the client says of its user, then the browser. */

export interface Choice {
  /** OIDC Core §3.1.2.1: tags in order of preference, separated by spaces. */
  readonly uiLocales?: unknown;
  /** RFC 9110 §12.5.4. */
  readonly acceptLanguage?: string | undefined;
}

const CHARS_MAX = 500;

/** Language tags, the most welcome first. */
export function preferredTags({ uiLocales, acceptLanguage }: Choice): string[] {
  const asked = typeof uiLocales === 'string' ? uiLocales.slice(0, CHARS_MAX).split(' ') : [];
  return [...asked, ...accepted(acceptLanguage?.slice(0, CHARS_MAX) ?? '')];
}

/** Ranges by weight; those of equal weight in the order they stand in; weight 0 means "not this". */
function accepted(header: string): string[] {
  return header
    .split(',')
    .map((range) => {
      const [tag = '', ...parameters] = range.split(';').map((part) => part.trim());
      const weight = parameters.find((part) => /^q=/i.test(part))?.slice(2);
      return { tag, weight: weight === undefined ? 1 : Number(weight) };
    })
    .filter(({ weight }) => weight > 0 && weight <= 1)
    .sort((a, b) => b.weight - a.weight)
    .map(({ tag }) => tag);
}
