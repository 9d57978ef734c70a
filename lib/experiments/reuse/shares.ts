/** Rows of shares with their intervals, from the measured energies. */
import type { ModelConfig } from "../../checkpoints/mod.ts";
import { findNode, locations, modelNodes } from "../../transformer/nodes.ts";
import { type PromptBootstrap, ratioOf, type Statistic } from "../prompt_bootstrap.ts";
import type { Estimate } from "../rows.ts";
import { readers } from "./energies.ts";
import type { Content, Measured } from "./measured.ts";
import type { Phases } from "./phases.ts";
import type { Above, OccupancyRow, ReadRow, SpanName, WrittenRow } from "./rows.ts";

export interface Shared {
  config: ModelConfig;
  measured: Measured;
  boot: PromptBootstrap;
  phases: Phases;
  cleaners: readonly string[];
}

type What = "standing" | "written" | "read";
const WHOLE: Record<What, string> = { standing: "stream", written: "written", read: "taken" };

/** Whose spans were measured, in the order of the rows. */
const namesOf = ({ groups }: Measured): SpanName[] => [
  ...new Set(groups.flatMap(({ spans }) => spans.map(({ name }) => name))),
];

/** The share of `indices` (nodes, locations or readers, taken as one) that lies in each span of one name. */
function sharesOf(
  { measured: { groups, values }, boot }: Shared,
  what: What,
  content: Content,
  name: SpanName,
  indices: readonly number[],
): Statistic[] {
  const total = values[WHOLE[what]];
  const count = total.shape[1];
  const add = (parts: Float64Array[]) => parts.reduce((a, b) => a.map((x, i) => x + b[i]));
  const whole = add(indices.map((index) => boot.sums(total.data, index, count)));
  return groups.flatMap(({ spans }, i) =>
    spans.flatMap((span, at): Statistic[] => {
      if (span.name !== name) return [];
      const { data } = values[`${i} ${what} ${content}`];
      const place = (index: number) => index * spans.length + at;
      return [ratioOf(
        add(indices.map((index) => boot.sums(data, place(index), count * spans.length))),
        whole,
      )];
    })
  );
}

/** Estimates of the share by content, and how much it is above that of the random spans. */
function estimates<C extends Content>(
  shared: Shared,
  what: What,
  contents: readonly C[],
  name: SpanName,
  indices: readonly number[],
): Record<C, Estimate> & Above {
  const { boot } = shared;
  const above: Above = {};
  const all = contents.map((content) => {
    const control = boot.another(sharesOf(shared, what, content, "random", indices));
    if (name === "random") return [content, boot.of(control)];
    const [own] = sharesOf(shared, what, content, name, indices);
    if (content !== "own") {
      above[content === "all" ? "more" : "moreRest"] = boot.of((draw) => own(draw) - control(draw));
    }
    return [content, boot.of(own)];
  });
  return { ...Object.fromEntries(all), ...above };
}

const EVERY: readonly Content[] = ["all", "own", "rest"];

export function occupancyRows(all: Shared): OccupancyRow[] {
  return namesOf(all.measured).flatMap((span) =>
    locations(all.config).map(({ location, hook }, i): OccupancyRow => ({
      span,
      location,
      phase: all.phases.ofPlace(hook),
      ...estimates(all, "standing", EVERY, span, [i]),
    }))
  );
}

export function writtenRows(all: Shared): WrittenRow[] {
  return namesOf(all.measured).flatMap((span) =>
    modelNodes(all.config).map((node, i): WrittenRow => ({
      span,
      node: node.name,
      kind: node.kind,
      layer: node.layer,
      phase: all.phases.ofNode(node),
      cleaner: all.cleaners.includes(node.name),
      ...estimates(all, "written", ["all", "rest"], span, [i]),
    }))
  );
}

/** One row for each reader, and one for all heads of a layer together. */
export function readRows(all: Shared): ReadRow[] {
  const { config, phases } = all;
  const entries = new Map<string, Omit<ReadRow, "span" | Content | keyof Above> & { indices: number[] }>();
  readers(config).forEach(({ name, input, layer }, index) => {
    const phase = input === "unembed" ? phases.unembedding : phases.ofNode(findNode(config, name));
    const reading = input === "MLP" || input === "unembed" ? [name] : [name, `layer ${layer}`];
    for (const reader of reading) {
      const key = `${reader} ${input}`;
      if (!entries.has(key)) entries.set(key, { reader, input, layer, phase, indices: [] });
      entries.get(key)!.indices.push(index);
    }
  });
  return namesOf(all.measured).flatMap((span) =>
    [...entries.values()].map(({ indices, ...entry }): ReadRow => ({
      span,
      ...entry,
      ...estimates(all, "read", EVERY, span, indices),
    }))
  );
}
