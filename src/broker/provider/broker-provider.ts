/**
 * The one subclass of the engine. It overrides the public `registerGrantType` to wrap the built-in
 * handlers as the constructor registers them, and refuses to exist if they were not captured: an
 * upstream change of order must stop the start, not a check (DESIGN §9.1).
 */
import { type Configuration, type KoaContextWithOIDC, Provider } from 'oidc-provider';

export type GrantHandler = (ctx: KoaContextWithOIDC) => Promise<unknown>;

export interface GrantWrap {
  readonly wrap: (inner: GrantHandler) => GrantHandler;
  /** Parameters the grant takes beyond the engine's own. */
  readonly parameters: readonly string[];
}

type Names = string | readonly string[] | ReadonlySet<string>;
/** The same class with the generic of one method, which a wrapper cannot satisfy, left out. */
type PlainProvider = Omit<Provider, 'registerGrantType'> & {
  registerGrantType(name: string, handler: GrantHandler, parameters?: Names, dupes?: Names): void;
};
const Base = Provider as unknown as new (issuer: string, setup: Configuration) => PlainProvider;

const list = (names: Names | undefined): readonly string[] =>
  typeof names === 'string' ? [names] : [...(names ?? [])];

export function createBrokerProvider(
  issuer: string,
  configuration: Configuration,
  wraps: Readonly<Record<string, GrantWrap>>,
): Provider {
  const captured = new Set<string>();
  // Fields of a subclass do not exist yet while the base constructor registers: a closure does.
  class BrokerProvider extends Base {
    override registerGrantType(
      name: string,
      handler: GrantHandler,
      parameters?: Names,
      dupes?: Names,
    ): void {
      const wrapping = Object.hasOwn(wraps, name) ? wraps[name] : undefined;
      if (wrapping === undefined) {
        super.registerGrantType(name, handler, parameters, dupes);
        return;
      }
      captured.add(name);
      const known = [...new Set([...list(parameters), ...wrapping.parameters])];
      super.registerGrantType(name, wrapping.wrap(handler), known, dupes);
    }
  }
  const provider = new BrokerProvider(issuer, configuration) as unknown as Provider;
  const missed = Object.keys(wraps).filter((name) => !captured.has(name));
  if (missed.length > 0) {
    throw new Error(`the engine did not register ${missed.join(', ')} through registerGrantType`);
  }
  return provider;
}
