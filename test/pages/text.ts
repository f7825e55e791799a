// What a person reads of a page: its words, without its markup.
const ENTITIES: Readonly<Record<string, string>> = {
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
  '&amp;': '&',
};

/** One line for each block of the body. */
export function linesOf(html: string): string[] {
  const body = html.slice(html.indexOf('<main'));
  return body
    .replace(
      /<button[^>]*\shidden[^>]*>[^<]*<\/button>|<span[^>]*aria-hidden[^>]*>[^<]*<\/span>/g,
      '',
    )
    .replace(
      /<\/?(main|h\d|p|li|ul|div|form|fieldset|legend|section|blockquote|dt|dd|dl|details|summary|label|button|svg)\b[^>]*>/g,
      '\n',
    )
    .replace(/<[^>]*>/g, '')
    .replace(/&(lt|gt|quot|#39|amp);/g, (entity) => ENTITIES[entity] ?? entity)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

/** The tags of the inputs and buttons of a page, in order. */
export const controlsOf = (html: string): string[] => html.match(/<(input|button)\b[^>]*>/g) ?? [];
