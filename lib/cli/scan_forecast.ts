/**
 * What is left of a scan, said anew before each pass: how many nodes there are to examine and how many of
 * them are found is known only then, and how fast the machine is beside other programs.
 */
import type { Prompts } from "../checkpoints/mod.ts";
import { afterExamining, passWork } from "../experiments/scan/cost.ts";
import type { Passes } from "../experiments/scan/passes.ts";
import type { ScanSettings } from "../experiments/scan/settings.ts";
import type { Model } from "../transformer/model.ts";
import { counted, formatSeconds } from "./progress.ts";
import { type Announced, secondsOf } from "./scan_cost.ts";

export class ScanForecast {
  readonly #given: [Model, Prompts, ScanSettings];
  readonly #announced: Announced;
  readonly #now: () => number;
  /** The pass that runs: when it began, and how long it takes at the pace of the announcement. */
  #runs: { from: number; expected: number } | undefined;
  /** How much longer the pass before took than that. */
  #slower = 1;

  constructor(
    [model, prompts, settings]: [Model, Prompts, ScanSettings],
    announced: Announced,
    now: () => number = () => performance.now() / 1000,
  ) {
    this.#given = [model, prompts, settings];
    this.#announced = announced;
    this.#now = now;
  }

  /**
   * Told when a pass begins: seconds of it, and of what comes after it. @param resumed part of it is done, so
   * that its time says nothing of the machine
   */
  begin(next: NonNullable<Passes["next"]>, resumed: boolean): { seconds: number; after: number } {
    const from = this.#now(), { token } = this.#announced;
    if (this.#runs) this.#slower = (from - this.#runs.from) / this.#runs.expected;
    const expected = secondsOf(passWork(...this.#given, next), token.seconds);
    this.#runs = resumed ? undefined : { from, expected };
    const after = next.pass === "examination"
      ? secondsOf(afterExamining(...this.#given, next.nodes), token.seconds)
      : 0;
    return { seconds: this.#slower * expected, after: this.#slower * after };
  }
}

/** One line before each pass but the first, which was announced. */
export function forecast(
  { pass, nodes }: NonNullable<Passes["next"]>,
  { seconds, after }: { seconds: number; after: number },
): string | undefined {
  if (pass === "screen" || nodes.length === 0) return undefined;
  const time = `about ${formatSeconds(seconds)}`;
  return pass === "examination"
    ? `${counted(nodes.length, "node")} to examine: ${time}, and ${
      formatSeconds(after)
    } for what is found, if as ` +
      `much of it is as elsewhere.`
    : `${counted(nodes.length, "writer")} found: ${time} for routes and attribution.`;
}
