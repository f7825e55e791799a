/**
 * The contexts a verifier has handed out, and what it knows about the token behind each. Nobody else can
 * make one: the list of those that were made says so, and they are frozen.
 */
import type { AuthContext, BareContext } from './context.js';
import type { Source } from './introspection.js';
import type { Lifetime, Lifetimes } from './lifetimes.js';

export interface CheckedToken {
  readonly lifetime: Lifetime;
  /** Asks the issuer about the token, where that is done for sensitive operations only. */
  readonly confirm?: (() => Promise<Source>) | undefined;
  /** Made when it is first asked for. */
  signal?: AbortSignal;
}

export interface Issued {
  /** Completes a context, and hands it out. */
  add(context: BareContext, checked: CheckedToken): AuthContext;
  get(context: AuthContext): CheckedToken | undefined;
  has(context: unknown): context is AuthContext;
}

export function createIssued({ signalFor }: Pick<Lifetimes, 'signalFor'>): Issued {
  // What is known stands in the context itself, out of sight: as a value of the list it would be
  // moved about by the garbage collector for longer than the call it is made for.
  const contexts = new WeakSet<object>();
  const known = Symbol('known');

  function get(context: object): CheckedToken | undefined {
    return contexts.has(context) ? (context as { [known]?: CheckedToken })[known] : undefined;
  }
  function checkedOf(context: object): CheckedToken {
    const checked = get(context);
    if (checked === undefined) throw new TypeError('not a context of this verifier');
    return checked;
  }
  // One getter for all: with one of its own, each context would have a shape of its own, which costs
  // more than everything else in it.
  const expiresAt = {
    enumerable: true,
    get(this: object) {
      return new Date(checkedOf(this).lifetime.claims.exp * 1000);
    },
  };
  const signal = {
    enumerable: true,
    get(this: object) {
      const checked = checkedOf(this);
      checked.signal ??= signalFor(checked.lifetime);
      return checked.signal;
    },
  };

  return {
    add(context, checked) {
      Object.defineProperty(context, known, { value: checked });
      Object.defineProperty(context, 'expiresAt', expiresAt);
      Object.defineProperty(context, 'signal', signal);
      contexts.add(context);
      return Object.freeze(context) as AuthContext;
    },
    get,
    has: (context): context is AuthContext =>
      typeof context === 'object' && context !== null && contexts.has(context),
  };
}
