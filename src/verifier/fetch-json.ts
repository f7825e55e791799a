/** One bounded GET of a JSON object: no redirects, no credentials, a time and a size limit. */

const TIMEOUT_MS = 5_000;

export interface FetchJsonOptions {
  readonly fetch: typeof globalThis.fetch;
  readonly bodyMaxBytes: number;
  readonly signal?: AbortSignal | undefined;
}

/** Reads a body up to a limit; a longer one is an error, never cut short. */
export async function readBody(response: Response, bodyMaxBytes: number): Promise<string> {
  if (response.body === null) return '';
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const reader = response.body.getReader();
  let text = '';
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > bodyMaxBytes) {
      await reader.cancel();
      throw new Error(`the answer is longer than ${bodyMaxBytes} bytes`);
    }
    text += decoder.decode(value, { stream: true });
  }
}

/**
 * Fetches a JSON object.
 *
 * @throws Error on any status but 200, a redirect, a timeout, an over-long body, or no object
 */
export async function fetchJson(
  url: string,
  options: FetchJsonOptions,
): Promise<Record<string, unknown>> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const response = await options.fetch(url, {
    headers: { accept: 'application/json' },
    redirect: 'error',
    signal: options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal]),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new Error(`${new URL(url).pathname} answered ${response.status}`);
  }
  const value: unknown = JSON.parse(await readBody(response, options.bodyMaxBytes));
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${new URL(url).pathname} is not a JSON object`);
  return value as Record<string, unknown>;
}
