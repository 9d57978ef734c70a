/**
 * From the first pass: which nodes are examined as writers of what is later erased, and why the others are
 * not.
 */
import type { LayerContraction, ScreenedNode } from "./screen.ts";
import type { ScanSettings } from "./settings.ts";

/** A node of the first pass, and why it was not examined, if it was not. */
export interface Candidate extends ScreenedNode {
  /** Why it is not examined; absent when it is. */
  passedOver?: string;
}

/**
 * Quartiles of the retention farther apart than this: what a node's absence changes elsewhere is larger than
 * its output.
 */
export const WIDE = 1.5;

/** How the reason of a candidate begins that was left out for its rank alone. */
export const UNEXAMINED = "not examined";

/** What a user cares about: how much of the stream is specifically erased. */
export const erased = ({ specific, share }: { specific: number; share: number }) => specific * share;

/** Whether a retention's quartiles are so far apart that its median says nothing. */
export const isWide = ({ low, high }: { low: number; high: number }) => high - low > WIDE;

/**
 * All nodes, the most erased first (specific erasure × share of the stream); those that are examined have no
 * `passedOver`.
 */
export function candidates(
  nodes: readonly ScreenedNode[],
  layers: readonly LayerContraction[],
  settings: ScanSettings,
): Candidate[] {
  // The screen's control is the layer's and its medians are coarse: half the threshold is enough to be
  // examined.
  const least = settings.specific / 2;
  const silent = layers.filter(isWide);
  const says = ({ kind, layer }: ScreenedNode) => !silent.some((l) => l.kind === kind && l.layer === layer);
  const rank = (node: ScreenedNode) => says(node) && Number.isFinite(node.left) ? erased(node) : -Infinity;
  const ranked = [...nodes].sort((a, b) => rank(b) - rank(a) || b.share - a.share);
  let taken = 0;
  return ranked.map((node): Candidate => {
    const passedOver = whyPassedOver(node, settings.share, least, says(node));
    if (passedOver !== undefined) return { ...node, passedOver };
    if (++taken <= settings.examine) return node;
    return {
      ...node,
      passedOver:
        `${UNEXAMINED}: ${settings.examine} others have more erased of the stream (setting "examine")`,
    };
  });
}

function whyPassedOver(
  { share, left, low, high, specific }: ScreenedNode,
  leastShare: number,
  least: number,
  says: boolean,
) {
  if (!Number.isFinite(left)) return "it writes nothing";
  if (share < leastShare) {
    return `its output is ${share.toPrecision(2)} of the stream's length, less than ${leastShare}`;
  }
  if (isWide({ low, high })) {
    return `what its absence changes elsewhere is larger than its output: retention from ${
      low.toFixed(1)
    } to ${high.toFixed(1)}`;
  }
  if (!says) {
    return "its layer's control says nothing: what is missing elsewhere is larger than what was written";
  }
  if (specific < least) {
    return specific < -least
      ? `protected: ${left.toFixed(2)} of it is left, of the layer's control ${(left + specific).toFixed(2)}`
      : `not ${least} more of it is missing than of the layer's control: ${left.toFixed(2)} and ${
        (left + specific).toFixed(2)
      } are left`;
  }
}
