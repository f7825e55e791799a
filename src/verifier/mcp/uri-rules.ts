/** Rules for MCP resources: by exact URI or URI template, or by what a URI begins with. */
import type { ParsedRequirement } from '../requirement.js';

type Rules = ReadonlyMap<string, ParsedRequirement>;

/** @throws TypeError when a `*` stands anywhere but last, or alone */
export function checkUriRules(rules: Rules): Rules {
  for (const uri of rules.keys()) {
    const star = uri.indexOf('*');
    const isMisplaced = star === 0 || (star !== -1 && star !== uri.length - 1);
    if (uri === '' || (isMisplaced && !isTemplate(uri)))
      throw new TypeError(`resource "${uri}": a URI, or the beginning of one and a last *`);
  }
  return rules;
}

const isTemplate = (uri: string): boolean => uri.includes('{');
/** RFC 6570 has a `*` of its own. */
const isBeginning = (rule: string): boolean => rule.endsWith('*') && !isTemplate(rule);

/**
 * Whether a URI means what its beginning says: no way back up (`..`), however it is spelled, that a
 * server would follow after the rule was found.
 */
function isPlain(uri: string): boolean {
  return !/%2f|%5c|\\/i.test(uri) && !/[/:](?:\.|%2e){1,2}(?:[/?#]|$)/i.test(uri);
}

/** The rule of a URI or template: its own, or the longest beginning; undefined: none. */
export function findUriRule(rules: Rules, uri: string): ParsedRequirement | undefined {
  const own = isBeginning(uri) ? undefined : rules.get(uri);
  if (own !== undefined || !isPlain(uri)) return own;
  // Of a template, only what stands before its first variable is known.
  const known = uri.split('{', 1)[0] ?? '';
  const beginnings = [...rules.keys()]
    .filter((rule) => isBeginning(rule) && known.startsWith(rule.slice(0, -1)))
    .sort((a, b) => b.length - a.length);
  return beginnings[0] === undefined ? undefined : rules.get(beginnings[0]);
}
