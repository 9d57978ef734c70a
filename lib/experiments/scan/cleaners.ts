/** From the evidence: which nodes clean up after a writer, which nearly do, and whether the writer counts as found. */
import type { Evidence, NodeEvidence } from "./confirm.ts";

export interface CleanerSettings {
  /** Smallest P(PR < 0). The post's L2H3 would fall below 0.8: what is rejected is always listed. */
  below: number;
  /** Largest adjusted p-value. */
  q: number;
  /** Smallest -ratio of one cleaner. */
  effect: number;
  /** Smallest -ratio of all cleaners of a writer together. */
  groupEffect: number;
  /** Smallest share of tokens whose PR drops by more than 0.3. */
  dropShare: number;
}

export interface Cleaners {
  cleaners: NodeEvidence[];
  /** Nodes that erase on average but fail a setting, with the reason. */
  rejected: { node: NodeEvidence; reason: string }[];
  /** Sum of the cleaners' ratios: how much of the writer's output they erase together, at most about -1 when all of it. */
  groupRatio: number;
  /** What the same sum is for the writer's output at the same position of another prompt, as a part of it. */
  sharedAcrossPrompts: number;
  /** Why the writer does not count as found; undefined when it does. */
  notFound?: string;
}

export function judge(evidence: Evidence, settings: CleanerSettings): Cleaners {
  const cleaners: NodeEvidence[] = [];
  const rejected: Cleaners["rejected"] = [];
  for (const node of evidence.nodes) {
    if (!(-node.ratio >= settings.effect)) continue;
    if (!(node.q <= settings.q)) {
      rejected.push({ node, reason: `not below the random null (adjusted p ${node.q.toPrecision(2)})` });
    } else if (!(node.below >= settings.below)) {
      rejected.push({ node, reason: `P(PR < 0) is ${node.below.toFixed(2)}, less than ${settings.below}` });
    } else cleaners.push(node);
  }
  cleaners.sort((a, b) => a.ratio - b.ratio);
  rejected.sort((a, b) => a.node.ratio - b.node.ratio);
  const groupRatio = cleaners.reduce((sum, node) => sum + node.ratio, 0);
  const shared = cleaners.reduce((sum, node) => sum + node.nulls.otherPrompt, 0);
  const result = {
    cleaners,
    rejected,
    groupRatio,
    sharedAcrossPrompts: groupRatio === 0 ? NaN : shared / groupRatio,
  };
  if (cleaners.length === 0) return { ...result, notFound: "no later node erases it" };
  if (!(-groupRatio >= settings.groupEffect)) {
    return {
      ...result,
      notFound: `its cleaners erase ${(-groupRatio).toFixed(2)} of it, less than ${settings.groupEffect}`,
    };
  }
  if (!(evidence.dropShare >= settings.dropShare)) {
    const share = evidence.dropShare.toFixed(2);
    return {
      ...result,
      notFound: `its PR drops by more than 0.3 on ${share} of tokens, fewer than ${settings.dropShare}`,
    };
  }
  return result;
}
