/**
 * A server that cannot check a JWT itself asks the broker (RFC 7662): the same members, live. Everything
 * that is not good there is only `{"active":false}`: expired, unknown, stopped, or for somebody else. The
 * verifier asks the same for you, here with answers that the broker signs for this server (RFC 9701).
 *
 *   ISSUER, RESOURCE, SERVER_ID and SERVER_SECRET (the resource's own client), AGENT_ID, AGENT_SECRET
 */
import { AuthError, createVerifier } from 'behalf/verifier';
import { check } from './story.js';

const env = (name: string): string =>
  process.env[name] ??
  (() => {
    throw new Error(`set ${name}`);
  })();
const post = async (path: string, who: 'SERVER' | 'AGENT', fields: Record<string, string>) => {
  const basic = btoa(`${env(`${who}_ID`)}:${env(`${who}_SECRET`)}`);
  const response = await fetch(`${env('ISSUER')}/${path}`, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams(fields),
  });
  const text = await response.text();
  return (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
};

const resource = env('RESOURCE');
const { access_token: token } = await post('token', 'AGENT', {
  grant_type: 'client_credentials',
  resource,
});
const introspect = () => post('introspect', 'SERVER', { token: String(token) });

const { active, aud, client_id: client, sub_profile: profile } = await introspect();
check(
  'a good token',
  [active, aud, client, profile],
  [true, resource, env('AGENT_ID'), 'ai_agent'],
);
check('nonsense', await post('introspect', 'SERVER', { token: 'nonsense' }), { active: false });
const verifier = createVerifier({
  issuer: env('ISSUER'),
  resource,
  client: { clientId: env('SERVER_ID'), clientSecret: env('SERVER_SECRET') },
  introspection: { mode: 'always', signed: true },
  revocation: 'off', // so that the answer alone decides
});
const { source, agent } = await verifier.verify(String(token));
check('a signed answer', [source, agent?.id], ['introspection', env('AGENT_ID')]);

await post('revoke', 'AGENT', { token: String(token) });
check('after it was given back', await introspect(), { active: false });
const outcome = await verifier.verify(String(token)).catch((error: unknown) => error);
check('the same, signed', outcome instanceof AuthError && outcome.reason, 'inactive');
await verifier.close();
