/**
 * A server that cannot check a JWT itself asks the broker (RFC 7662): the same members, live. Everything
 * that is not good there is only `{"active":false}`: expired, unknown, stopped, or for somebody else.
 *
 *   ISSUER, RESOURCE, SERVER_ID and SERVER_SECRET (the resource's own client), AGENT_ID, AGENT_SECRET
 */
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
await post('revoke', 'AGENT', { token: String(token) });
check('after it was given back', await introspect(), { active: false });
