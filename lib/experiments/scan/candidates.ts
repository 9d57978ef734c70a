/**
 * From the first pass: which nodes may be writers whose output is erased later. A writer's output is there just after the write
 * (PR near 1) and is gone at some later location: drop = highest later median PR minus the lowest after that.
 */
import type { Screen } from "./screen.ts";

export interface Candidate {
  /** Index among the components. */
  index: number;
  name: string;
  /** Median PR of the residual stream at each location from the write on. */
  medians: { location: string; median: number }[];
  /** Median PR just after the write. */
  present: number;
  /** Where the highest and, after it, the lowest median stand. */
  highest: string;
  lowest: string;
  drop: number;
  /** Mean of ‖writer‖ / ‖residual stream when it is written‖. */
  relativeNorm: number;
  /** Why it is not taken further; undefined when it is. */
  rejected?: string;
}

export interface CandidateSettings {
  /** Range of the median PR just after the write. */
  present: readonly [number, number];
  /** Smallest drop. */
  drop: number;
  /** At most so many writers are examined. */
  writers: number;
}

/** All nodes that write, the most dropped first; those taken further have no `rejected`. */
export function candidates(screen: Screen, settings: CandidateSettings): Candidate[] {
  const all = screen.components.flatMap((component, index): Candidate[] => {
    if (component.kind === "bias") return [];
    const tokens = screen.state.tokens[index];
    const medians = screen.locations
      .map(({ location, count }, i) => ({
        location,
        count,
        median: screen.atLocations.quantile(screen.place(index, i), 0.5),
      }))
      .filter(({ count }) => count > index);
    const relativeNorm = tokens > 0 ? screen.state.relativeNorm[index] / tokens : 0;
    const named = medians.map(({ location, median }) => ({ location, median }));
    const base = { index, name: component.name, medians: named, relativeNorm };
    if (tokens === 0) {
      const nothing = { present: NaN, highest: "", lowest: "", drop: NaN };
      return [{ ...base, ...nothing, rejected: "its output is zero everywhere" }];
    }
    const present = medians[0].median;
    let [drop, top, highest, lowest] = [-Infinity, 0, 0, 0];
    for (let i = 0; i < medians.length; i++) {
      if (medians[i].median > medians[top].median) top = i;
      if (medians[top].median - medians[i].median > drop) {
        [drop, highest, lowest] = [medians[top].median - medians[i].median, top, i];
      }
    }
    return [{ ...base, present, highest: medians[highest].location, lowest: medians[lowest].location, drop }];
  });
  all.sort((a, b) => (Number.isNaN(b.drop) ? -1 : b.drop) - (Number.isNaN(a.drop) ? -1 : a.drop));
  const [low, high] = settings.present;
  let taken = 0;
  for (const candidate of all) {
    if (candidate.rejected) continue;
    if (!(candidate.present >= low && candidate.present <= high)) {
      candidate.rejected = `median PR just after the write is ${
        candidate.present.toFixed(2)
      }, outside ${low} … ${high}`;
    } else if (!(candidate.drop >= settings.drop)) {
      candidate.rejected = `its median PR drops by ${candidate.drop.toFixed(2)}, less than ${settings.drop}`;
    } else if (++taken > settings.writers) {
      candidate.rejected = `not among the ${settings.writers} with the largest drop`;
    }
  }
  return all;
}
