/** The energies that all shares are made of, measured in one pass over the prompts. */
import type { Prompts } from "../../checkpoints/mod.ts";
import { outputSize } from "../../checkpoints/config.ts";
import { logitMetric } from "../../metrics/logit_metric.ts";
import { atPositions } from "../../metrics/retention.ts";
import { spanTensor } from "../../metrics/span.ts";
import type { NdArray } from "../../tensor/nd_array.ts";
import { run, type RunOptions } from "../../tensor/run.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Forward } from "../../transformer/forward.ts";
import { feed, type Model } from "../../transformer/model.ts";
import * as energies from "./energies.ts";
import type { SpanName } from "./rows.ts";

/** Spans that are looked at together, with the run in which their node's output is missing. */
export interface Group {
  spans: readonly { name: SpanName; directions: Float32Array }[];
  k: number;
  without: Forward;
}

/** What of a span's content is looked at. */
export type Content = "all" | "own" | "rest";

export interface Measured {
  groups: readonly Group[];
  /** By "stream", "written", "taken"; and by group, what, and content: "0 standing own". */
  values: Record<string, NdArray>;
}

/** One pass over the prompts: see energies.ts. */
export async function measureGroups(
  model: Model,
  prompts: Prompts,
  clean: Forward,
  groups: readonly Group[],
  options: RunOptions,
): Promise<Measured> {
  const gram = outputSize(model.config) > 0 ? await logitMetric(clean) : undefined;
  const outputs: Record<string, Tensor> = {
    stream: energies.stream(clean),
    written: energies.written(clean),
    taken: energies.taken(clean, gram),
  };
  groups.forEach(({ spans, k, without }, i) => {
    const S = spanTensor(spans.map(({ directions }) => directions), k, model.config.d_model);
    const difference = (hook: string) => clean.hook(hook).sub(without.hook(hook));
    const put = (what: string, contents: Partial<Record<Content, Tensor>>) => {
      for (const [content, value] of Object.entries(contents)) outputs[`${i} ${what} ${content}`] = value;
    };
    put("standing", {
      all: energies.standing(clean, S),
      own: energies.standing(clean, S, without),
      rest: energies.standing(without, S),
    });
    put("written", { all: energies.writtenInto(clean, S), rest: energies.writtenInto(without, S) });
    const readFrom = (content: (hook: string) => Tensor) => energies.readFrom(clean, S, content, gram);
    put("read", {
      all: readFrom((hook) => clean.hook(hook)),
      own: readFrom(difference),
      rest: readFrom((hook) => without.hook(hook)),
    });
    outputs[`${i} end`] = atPositions(energies.end(clean)).dot(S, "d_model").sum("pos");
  });
  const values = await run(outputs, feed(prompts, model.config), options);
  return { groups, values };
}

/** The mean over all tokens that count of the end of the stream's coordinates in each span. */
export function endMeans(
  { groups, values }: Measured,
  tokens: number,
): { name: SpanName; directions: Float32Array; mean: Float32Array }[] {
  return groups.flatMap(({ spans, k }, i) => {
    const { data } = values[`${i} end`];
    return spans.map(({ name, directions }, at) => {
      const mean = new Float32Array(k);
      for (let j = at * k; j < data.length; j += spans.length * k) {
        for (let d = 0; d < k; d++) mean[d] += data[j + d] / tokens;
      }
      return { name, directions, mean };
    });
  });
}
