/**
 * A tool policy that is kept at the broker, with the resource's registration: which tool needs which
 * scopes. Read again every so often, so that what an operator maps, or takes away, counts here soon; a
 * tool that is not mapped there is refused here.
 */
import { isScopeToken } from '../../protocol/index.js';
import type { Verifier } from '../api.js';
import { AuthError } from '../auth-error.js';
import { type ParsedRequirement, parseRequirement } from '../requirement.js';
import { buildPolicy, type PolicyFrame, type ToolPolicy } from './policy.js';

/** Where a policy is read, and by whom. */
export interface RegisteredPolicyOptions extends PolicyFrame {
  /** The registration is read again after this time; default 30. */
  readonly refreshSeconds?: number | undefined;
  /** How much longer it serves while the broker cannot be reached; default 3600. */
  readonly staleIfErrorSeconds?: number | undefined;
}

/** Between two attempts while the broker cannot be reached. */
const COOLDOWN_MS = 5_000;

interface Registration {
  readonly tools: ReadonlyMap<string, ParsedRequirement>;
  readonly base: readonly string[];
}

const NOTHING: Registration = { tools: new Map(), base: [] };

const isScopes = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string' && isScopeToken(one));

/** @throws Error when it is not what the broker says */
function parseRegistration(body: unknown, resource: string): Registration {
  const said = body as { resource?: unknown; tools?: unknown; base?: unknown } | null;
  const tools = Object.entries((said?.tools ?? {}) as Readonly<Record<string, unknown>>);
  if (said?.resource !== resource || !isScopes(said.base) || typeof said.tools !== 'object')
    throw new Error('the broker’s answer is no registration of this resource');
  const parsed = tools.map(([tool, scopes]): [string, ParsedRequirement] => {
    if (!isScopes(scopes)) throw new Error('the registration of a tool is malformed');
    return [tool, parseRequirement({ all: scopes })];
  });
  return { tools: new Map(parsed), base: said.base };
}

/** @throws Error when the broker gives no answer; undefined when there is no client to ask as */
async function readRegistration({ askBroker, resource }: Verifier) {
  const response = await askBroker('tools', { query: { resource } });
  if (response === undefined) return undefined;
  if (response.ok) return parseRegistration(await response.json(), resource);
  await response.body?.cancel();
  throw new Error(`the broker answered ${response.status}`);
}

/**
 * The policy of the verifier's resource, as it is registered at the broker. The verifier needs
 * `client` (or `report`), and that client must be the resource's own there.
 *
 * Does not watch the broker: a change counts after `refreshSeconds`. Until it was read once, and when
 * it could not be read for too long, every request is answered 503.
 *
 * @throws TypeError when an option makes no sense
 */
export function registeredToolPolicy(
  verifier: Verifier,
  options: RegisteredPolicyOptions = {},
): ToolPolicy {
  const { refreshSeconds = 30, staleIfErrorSeconds = 3600, ...frame } = options;
  if (!(refreshSeconds >= 1)) throw new TypeError('refreshSeconds is at least 1');
  if (!(staleIfErrorSeconds >= 0)) throw new TypeError('staleIfErrorSeconds is not negative');
  let registration: Registration | undefined;
  let readAtMs = 0;
  let triedAtMs = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;

  async function read(): Promise<void> {
    const startedAtMs = verifier.now();
    triedAtMs = startedAtMs;
    const emit = (error: unknown) =>
      verifier.emit({ type: 'policy_error', atMs: verifier.now(), error });
    const outcome = await readRegistration(verifier).catch((error: unknown) => ({ error }));
    if (outcome === undefined)
      throw new TypeError('a registered policy needs a verifier with the resource’s own client');
    if ('error' in outcome) return emit(outcome.error);
    registration = outcome;
    readAtMs = startedAtMs;
  }

  async function load(): Promise<void> {
    const ageMs = () => verifier.now() - readAtMs;
    if (registration !== undefined && ageMs() < refreshSeconds * 1000) return;
    if (reading !== undefined || verifier.now() - triedAtMs >= COOLDOWN_MS) {
      reading ??= read().finally(() => {
        reading = undefined;
      });
      await reading;
    }
    if (registration === undefined || ageMs() >= (refreshSeconds + staleIfErrorSeconds) * 1000)
      throw new AuthError('policy_unavailable', { retryAfterSeconds: COOLDOWN_MS / 1000 });
  }

  return buildPolicy(frame, {
    tools: () => (registration ?? NOTHING).tools,
    base: () => (registration ?? NOTHING).base,
    load,
  });
}
