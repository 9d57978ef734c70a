/** From the first pass: which nodes are examined as writers of what is later erased, and why the others are not. */
import type { ScreenedNode } from "./screen.ts";
import type { ScanSettings } from "./settings.ts";

export interface Candidate extends ScreenedNode {
  /** Why it is not examined; absent when it is. */
  passedOver?: string;
}

/** Quartiles of the retention farther apart than this: what a node's absence changes elsewhere is larger than its output. */
export const WIDE = 1.5;

/** What a user cares about: how much of the stream is specifically erased. */
export const erased = ({ specific, share }: { specific: number; share: number }) => specific * share;

/** All nodes, the most erased first (specific erasure × share of the stream); those that are examined have no `passedOver`. */
export function candidates(nodes: readonly ScreenedNode[], settings: ScanSettings): Candidate[] {
  // The screen's control is the layer's and its medians are coarse: half the threshold is enough to be examined.
  const least = settings.specific / 2;
  const ranked = [...nodes].sort((a, b) => erased(b) - erased(a));
  let taken = 0;
  return ranked.map((node): Candidate => {
    const passedOver = reason(node, settings.share, least);
    if (passedOver !== undefined) return { ...node, passedOver };
    if (++taken <= settings.examine) return node;
    return {
      ...node,
      passedOver: `${settings.examine} nodes with more erased of the stream are examined (setting "examine")`,
    };
  });
}

function reason({ share, left, low, high, specific }: ScreenedNode, leastShare: number, least: number) {
  if (!Number.isFinite(left)) return "it writes nothing";
  if (share < leastShare) {
    return `its output is ${share.toPrecision(2)} of the stream's length, less than ${leastShare}`;
  }
  if (high - low > WIDE) {
    return `what its absence changes elsewhere is larger than its output: retention from ${
      low.toFixed(1)
    } to ${high.toFixed(1)}`;
  }
  if (specific < least) {
    return specific < -least
      ? `protected: ${left.toFixed(2)} of it is left, of the layer's control ${(left + specific).toFixed(2)}`
      : `no more of it is missing than of the layer's control: ${left.toFixed(2)} and ${
        (left + specific).toFixed(2)
      } are left`;
  }
}
