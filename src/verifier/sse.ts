/** Server-sent events (WHATWG HTML §9.2.6), read with bounds. */

export interface ServerSentEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string | undefined;
}

/** One fact or heartbeat is far shorter; a longer line is an error. */
const LINE_MAX_CHARS = 65_536;

/**
 * Yields the events of a stream until it ends.
 *
 * @param onBytes called whenever anything arrives, comments included
 * @throws Error when a line or an event is too long
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void,
): AsyncGenerator<ServerSentEvent, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  let event = '';
  let data: string[] = [];
  let id: string | undefined;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      onBytes();
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      if (rest.length > LINE_MAX_CHARS) throw new Error('a line of the stream is too long');
      for (const line of lines) {
        if (line === '') {
          if (data.length > 0) yield { event: event || 'message', data: data.join('\n'), id };
          event = '';
          data = [];
          continue;
        }
        const colon = line.indexOf(':');
        const name = colon === -1 ? line : line.slice(0, colon);
        const text = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
        if (name === 'event') event = text;
        else if (name === 'id') id = text;
        else if (name === 'data' && data.push(text) > 1_000)
          throw new Error('an event of the stream is too long');
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
