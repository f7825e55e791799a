/** Requests of a command to a running broker. When there is none, one sentence says what to look at. */

/** @throws Error with that sentence */
export async function ask(issuer: string, path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(`${issuer}${path}`, init);
  } catch (error) {
    const { cause } = error as { readonly cause?: { readonly code?: unknown } };
    const why = typeof cause?.code === 'string' ? ` (${cause.code})` : '';
    throw new Error(
      `no broker answers at ${issuer}${why}: is it still starting, or is BEHALF_ISSUER another?`,
    );
  }
}

/** @throws Error when something else answered, as a proxy in front of a broker does */
export async function readAnswer<Answer>(response: Response): Promise<Answer> {
  try {
    return (await response.json()) as Answer;
  } catch {
    throw new Error(`${response.url} answered ${response.status}, and not as a broker does`);
  }
}
