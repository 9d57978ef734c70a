/**
 * The one place that says which measurement is put to the test by power.ts: the scan, at its default
 * settings.
 */
import type { Prompts } from "../../../../lib/checkpoints/mod.ts";
import { foundWriters, scan } from "../../../../lib/experiments/scan/scan.ts";
import type { RouteShares } from "../../../../lib/experiments/scan/routes.ts";
import type { RunOptions } from "../../../../lib/tensor/run.ts";
import type { Model } from "../../../../lib/transformer/model.ts";
import type { Truth } from "./truth.ts";

/** What a measurement says of a model, in the words of its truth. */
export interface Verdict {
  writers: readonly string[];
  cleaners: Readonly<Record<string, readonly string[]>>;
  route: Readonly<Record<string, Truth["route"]>>;
}

const ROUTES: Record<keyof RouteShares, Truth["route"]> = {
  values: "values",
  scales: "norm",
  attention: "attention",
};

export async function verdictOf(model: Model, prompts: Prompts, options: RunOptions = {}): Promise<Verdict> {
  const found = foundWriters(await scan(model, prompts, options));
  return {
    writers: found.map((w) => w.writer),
    cleaners: Object.fromEntries(found.map((w) => [w.writer, w.cleaners.map((c) => c.node)])),
    route: Object.fromEntries(found.map(({ writer, routes }) => {
      const [name] = Object.entries(routes!).reduce((a, b) => b[1] > a[1] ? b : a);
      return [writer, ROUTES[name as keyof RouteShares]];
    })),
  };
}
