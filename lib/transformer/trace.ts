/**
 * The values of one forward pass at its hook points. Each part of a block passes what it makes through here,
 * so that a hook can change it and a reader can ask for it by name. A value that nobody asks for is not even
 * built.
 */
import type { ModelConfig } from "../checkpoints/mod.ts";
import { didYouMean } from "../checkpoints/nearest.ts";
import { unify } from "../tensor/dims.ts";
import { Tensor } from "../tensor/tensor.ts";
import { type Hook, hookPoints, type Hooks, spreadHooks } from "./hook_points.ts";
import type { Parameters } from "./weights.ts";

export class Trace {
  readonly config: ModelConfig;
  readonly params: Parameters;
  #dims: Map<string, string[]>;
  #hooks: Map<string, Hook>;
  #values = new Map<string, Tensor | (() => Tensor)>();

  constructor(config: ModelConfig, params: Parameters, hooks: Hooks) {
    this.config = config;
    this.params = params;
    this.#dims = hookPoints(config);
    this.#hooks = spreadHooks(hooks, this.#dims);
  }

  /** Whether an intervention stands at this hook point. */
  isHooked(name: string): boolean {
    return this.#hooks.has(name);
  }

  /** A value by its hook name. Dims as in `hookPoints`. @throws for a name that the model does not have. */
  get(name: string): Tensor {
    const value = this.#values.get(name);
    if (!value) throw new Error(`no hook point "${name}".${didYouMean(name, this.#dims.keys())}`);
    if (value instanceof Tensor) return value;
    const made = value();
    const ordered = made.order(...this.#dims.get(name)!);
    this.#values.set(name, ordered);
    return ordered;
  }

  /**
   * Passes a value through its hook point and keeps what comes out. `keep` is off for the copies that heads
   * of q, k or v read by themselves: these have a head dimension that the point itself has not.
   */
  point(name: string, value: Tensor, keep = true): Tensor {
    const dims = this.#dims.get(name)!;
    const ordered = value.dims.length > dims.length ? value : value.order(...dims);
    const hook = this.#hooks.get(name);
    const after = hook ? checked(name, ordered, hook(ordered, { name })) : ordered;
    if (keep) this.#values.set(name, after);
    return after;
  }

  /** Keeps a value that no hook changes, to be built when it is asked for. */
  later(name: string, value: () => Tensor): void {
    this.#values.set(name, value);
  }
}

function checked(name: string, before: Tensor, after: Tensor): Tensor {
  if (!(after instanceof Tensor)) {
    throw new Error(`hook "${name}" returned no tensor; expected ${before.names}`);
  }
  const foreign = after.names.filter((n) => !before.names.includes(n));
  if (foreign.length > 0) {
    throw new Error(`hook "${name}": got [${after.names}]; expected dims among [${before.names}]`);
  }
  unify(`hook "${name}": before and after`, before.dims, after.dims);
  return new Tensor({ node: after.node, dims: before.dims }); // dims that it lacks are broadcast
}
