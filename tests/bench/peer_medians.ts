/** Do a peer's medians agree with ours? Nothing is timed unless they do. */

export interface Agreement {
  versions: Record<string, string>;
  machine: Record<string, string>;
  /** In words: how many medians agree, and the largest differences. */
  said: string;
}

type Medians = Record<string, number[]>;

const TASKS = { "Figures 1–3": /^\d/, retention: /^retention/ };

/**
 * `mine` and `theirs`: what the two processes print last.
 *
 * @throws where a median differs by more than 1e-3, of its own size where that is above 1
 */
export function compare(
  peer: string,
  mine: Record<string, unknown>,
  theirs: Record<string, unknown>,
): Agreement {
  const said = Object.entries(TASKS).map(([task, pattern]) => {
    let worst = 0, count = 0;
    for (const [name, values] of Object.entries(theirs.medians as Medians)) {
      if (!pattern.test(name)) continue;
      const own = (mine.medians as Medians)[name] ?? [];
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
    if (count === 0) throw new Error(`bench:peer: ${peer} gave no medians of ${task}`);
    return `${count} medians of ${task} (largest difference ${worst.toExponential(1)})`;
  });
  const { versions, machine } = theirs as unknown as Agreement;
  return { versions, machine, said: `${peer}: ${said.join(", ")}` };
}
