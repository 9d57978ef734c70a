/**
 * What is left at the end of the stream of what is written in each layer, and of the same rotated: how a
 * model treats any vector, and how its own. From the first pass of a scan, which has removed every node
 * and one rotated output a layer.
 */
import type { ModelConfig } from "../../checkpoints/mod.ts";
import { modelNodes } from "../../transformer/nodes.ts";
import { draws, estimate } from "../estimates.ts";
import { RemovalStats } from "../retention/removal_stats.ts";
import { isWide } from "../scan/candidates.ts";
import { controlKey } from "../scan/screen.ts";
import type { ContractionRow } from "./rows.ts";

/** @param stats the first pass: every node by its name, controls by their `controlKey` */
export function contraction(
  config: ModelConfig,
  stats: ReadonlyMap<string, RemovalStats>,
  seed: number,
): ContractionRow[] {
  const groups = new Map<string, ReturnType<typeof modelNodes>>();
  for (const node of modelNodes(config)) {
    const key = controlKey(node);
    groups.set(key, [...groups.get(key) ?? [], node]);
  }
  return [...groups].map(([key, nodes]): ContractionRow => {
    const { kind, layer, name } = nodes[0];
    const control = stats.get(key)!;
    const own = RemovalStats.joined(nodes.map((node) => stats.get(node.name)!));
    const drawn = (of: RemovalStats) => draws(of.shape.blocks, seed);
    const [low, high] = [0.25, 0.75].map((p) => control.end(undefined, p));
    return {
      layer,
      kind,
      node: kind === "head" ? "heads" : name,
      random: estimate((draw) => control.end(draw), drawn(control)),
      own: estimate((draw) => own.end(draw), drawn(own)),
      wide: isWide({ low, high }),
    };
  });
}
