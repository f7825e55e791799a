/**
 * A service, or an agent on its own: one `client_credentials` call for one resource.
 *
 *   ISSUER, RESOURCE, CLIENT_ID, CLIENT_SECRET
 */
const env = (name: string): string =>
  process.env[name] ??
  (() => {
    throw new Error(`set ${name}`);
  })();

const response = await fetch(`${env('ISSUER')}/token`, {
  method: 'POST',
  headers: { authorization: `Basic ${btoa(`${env('CLIENT_ID')}:${env('CLIENT_SECRET')}`)}` },
  body: new URLSearchParams({ grant_type: 'client_credentials', resource: env('RESOURCE') }),
});
const token = (await response.json()) as { access_token?: string; scope?: string; error?: string };
console.log(response.ok ? `a token for ${token.scope}` : `refused: ${token.error}`);
process.exitCode = response.ok ? 0 : 1;
