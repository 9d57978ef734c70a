/** Do a peer's medians agree with ours? Nothing is timed unless they do. */

export interface Agreement {
  count: number;
  /** The largest difference. */
  worst: number;
}

type Medians = Record<string, number[]>;

/** @throws where a median differs by more than 1e-3, of its own size where that is above 1 */
export function compare(peer: string, mine: Medians | undefined, theirs: Medians | undefined): Agreement {
  let worst = 0, count = 0;
  for (const [name, own] of Object.entries(mine ?? {})) {
    const values = theirs?.[name] ?? [];
    if (own.length !== values.length) {
      throw new Error(`bench:peer: "${name}": got ${own.length} medians; ${peer} has ${values.length}`);
    }
    values.forEach((value, i) => {
      const error = Math.abs(value - own[i]);
      if (!(error <= 1e-3 * Math.max(1, Math.abs(value)))) {
        throw new Error(`bench:peer: "${name}" ${i}: got a median of ${own[i]}; ${peer} has ${value}`);
      }
      worst = Math.max(worst, error);
      count++;
    });
  }
  return { count, worst };
}
