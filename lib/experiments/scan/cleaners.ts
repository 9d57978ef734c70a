/** From the evidence: which nodes clean up after a writer, which nearly do, and whether the writer counts as found. */
import { type Evidence, type NodeEvidence, TOKEN_DROP } from "./confirm.ts";

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

export interface Verdict {
  cleaners: NodeEvidence[];
  /** Nodes that erase on average but fail a setting, with the reason. */
  rejected: { node: NodeEvidence; reason: string }[];
  /** Sum of the cleaners' ratios: how much of the writer's output they erase together, about -1 when all of it. */
  groupRatio: number;
  /** The same sum for the writer's output at the same position of another prompt, as a part of it: near 1: the same in all prompts. */
  sharedAcrossPrompts: number;
  /** Why the writer does not count as found; undefined when it does. */
  notFound?: string;
}

/** Part of the erasure from which on it is called the same in all prompts. */
export const SHARED = 0.5;

/** @param settings each is a limit that is still accepted */
export function judge(evidence: Evidence, settings: CleanerSettings): Verdict {
  const cleaners: NodeEvidence[] = [];
  const rejected: Verdict["rejected"] = [];
  for (const node of evidence.nodes) {
    if (!(-node.ratio >= settings.effect)) continue;
    const reason = reasonAgainst(node, settings);
    if (reason) rejected.push({ node, reason });
    else cleaners.push(node);
  }
  cleaners.sort((a, b) => a.ratio - b.ratio);
  rejected.sort((a, b) => a.node.ratio - b.node.ratio);
  const groupRatio = cleaners.reduce((sum, node) => sum + node.ratio, 0);
  const shared = cleaners.reduce((sum, node) => sum + node.nulls.otherPrompt, 0);
  const sharedAcrossPrompts = groupRatio === 0 ? NaN : shared / groupRatio;
  const notFound = reasonNotFound(cleaners, groupRatio, evidence.dropShare, settings);
  return { cleaners, rejected, groupRatio, sharedAcrossPrompts, ...(notFound && { notFound }) };
}

function reasonAgainst(node: NodeEvidence, { q, below }: CleanerSettings): string | undefined {
  if (node.q === undefined) {
    return `not tested: it erased too little on the first half (ratio ${node.firstRatio.toFixed(3)})`;
  }
  if (!(node.q <= q)) {
    return `not surely below 0 and below the random null (adjusted p ${node.q.toPrecision(2)})`;
  }
  if (!(node.below >= below)) return `P(PR < 0) is ${node.below.toFixed(2)}, less than ${below}`;
}

function reasonNotFound(
  cleaners: readonly NodeEvidence[],
  groupRatio: number,
  dropShare: number,
  settings: CleanerSettings,
): string | undefined {
  if (cleaners.length === 0) return "no later node erases it";
  if (!(-groupRatio >= settings.groupEffect)) {
    return `its cleaners erase ${(-groupRatio).toFixed(2)} of it, less than ${settings.groupEffect}`;
  }
  if (!(dropShare >= settings.dropShare)) {
    return `its PR drops by more than ${TOKEN_DROP} on ${
      dropShare.toFixed(2)
    } of tokens, fewer than ${settings.dropShare}`;
  }
}
