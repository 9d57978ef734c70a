/**
 * The bars of a waterfall from a node's DLA to its effect, from its rows: totals start at 0, a step where the
 * one before it ended.
 */
import type { AttributionRow, Credit, StepRow } from "../experiments/attribution/rows.ts";

/** One node's waterfall. */
export interface WaterfallCase {
  /** Of the node. */
  row: AttributionRow;
  /** Steps of later nodes, in the order of the forward pass; those of other nodes are left out. */
  steps: readonly StepRow[];
  /** Bold line above the panel. Default: the node. */
  title?: string;
  /** Plain line below it, such as the two answers. */
  subtitle?: string;
}

export type BarKind = "dla" | "back" | "added" | "left" | "effect";

export interface Bar {
  label: string;
  kind: BarKind;
  from: number;
  to: number;
  /** What the bar says, in logits. */
  value: number;
  /** Ends of the control's bar. */
  control?: readonly [from: number, to: number];
  /** Interval around `to`, and around the control's. */
  interval?: readonly [number, number];
  controlInterval?: readonly [number, number];
}

/** The bars of one panel, from top to bottom. */
export function waterfallBars({ row, steps }: WaterfallCase, most = 7): Bar[] {
  const own = steps.filter((step) => step.node === row.node);
  const named = new Set(
    [...own].sort((a, b) => Math.abs(b.logits) - Math.abs(a.logits)).slice(0, most).map((step) => step.by),
  );
  const rest = own.filter((step) => !named.has(step.by));
  const { dla } = row;
  const hasControl = row.left.control !== undefined;
  const scaled = (interval?: readonly [number, number]) =>
    interval && [interval[0] * dla, interval[1] * dla] as const;
  const bars: Bar[] = [{
    label: "DLA",
    kind: "dla",
    from: 0,
    to: dla,
    value: dla,
    ...(hasControl && { control: [0, dla] }),
  }];
  let at = dla, controlAt = dla;
  const inLogits = (share?: number) => share === undefined ? undefined : share * dla;
  const step = (label: string, value: number, control?: number) => {
    const kind = value * dla < 0 ? "back" : "added";
    const bar: Bar = { label, kind, from: at, to: at + value, value };
    if (control !== undefined) bar.control = [controlAt, controlAt + control];
    bars.push(bar);
    at += value;
    controlAt += control ?? 0;
  };
  const total = (label: string, kind: BarKind, { logits, control, interval, controlInterval }: Credit) => {
    bars.push({
      label,
      kind,
      from: 0,
      to: logits,
      value: logits,
      ...(interval && { interval: scaled(interval)! }),
      ...(control !== undefined && { control: [0, control * dla] as const }),
      ...(controlInterval && { controlInterval: scaled(controlInterval)! }),
    });
    [at, controlAt] = [logits, (control ?? 0) * dla];
  };
  for (const one of own) if (named.has(one.by)) step(one.by, one.logits, inLogits(one.control));
  if (rest.length > 0) {
    const label = `${rest.length} other${rest.length > 1 ? "s" : ""}`;
    step(label, row.left.logits - at, hasControl ? row.left.control! * dla - controlAt : undefined);
  }
  total("left", "left", row.left);
  step("final scale", row.finalScale.logits, inLogits(row.finalScale.control));
  total("effect", "effect", row.effect);
  if (row.resampled) {
    const { effect, interval } = row.resampled;
    const shown = interval && { interval: scaled(interval)! };
    bars.push({ label: "resampled", kind: "effect", from: 0, to: effect, value: effect, ...shown });
  }
  return bars;
}
