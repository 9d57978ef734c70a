/** What `reuse` and `role` say of a writer, claim by claim; and all claims on one model. */
import { listed } from "../numbers_in_words.ts";
import type { Estimate } from "../rows.ts";
import { type Claim, claim, shares, verdictOf } from "./claim.ts";
import { occurrence } from "./occurrence.ts";
import type { Compared, Findings, ReuseFinding, RoleFinding } from "./rows.ts";

/**
 * All claims on one model that its numbers allow, in the order of the post's questions.
 *
 * @example
 * ```ts
 * import { knownFindings } from "./known.ts";
 * const known = await knownFindings();
 * for (const { sentence, refutedIf } of claimsOf(known, "SmolLM2-135M")) console.log(sentence, refutedIf);
 * ```
 */
export function claimsOf(findings: Findings, model: string = findings.model.name): Claim[] {
  return [
    ...findings.reuse.flatMap((one) => reuseClaims(one, model)),
    ...findings.role.flatMap((one) => roleClaims(one, model)),
    ...occurrence(findings, model),
  ];
}

function reuseClaims(finding: ReuseFinding, model: string): Claim[] {
  const { writer, k, cleaners, content, others, needed, beside, putBack } = finding;
  const subject = { question: "reuse" as const, model, node: writer };
  const by = cleaners.length > 0 ? "" : ", which nobody surely erases,";
  const directions = k === 1 ? "direction" : `${k} directions`;
  const [whole, rest] = [content, others].map(({ own, control, more }) => verdictOf(own, control, more));
  const stands = claim(
    {
      ...subject,
      asked: "share of the end in the writer's directions",
      unit: "share",
      refutedIf: "on other texts random directions hold as much, with or without what it wrote",
    },
    content,
    {
      more: `In the ${directions} of ${writer}${by} stands more at the end than in random ones`,
      less: `In the ${directions} of ${writer}${by} stands less at the end than in random ones`,
      "not shown":
        `That in the ${directions} of ${writer}${by} stands more at the end than in random ones, ` +
        `with and without what it wrote, is not shown`,
    },
    "random ones",
    whole === rest ? whole : "not shown",
  );
  const claims = [{ ...stands, sentence: `${stands.sentence} Without what it wrote: ${shares(others)}.` }];
  if (needed) {
    claims.push(claim(
      {
        ...subject,
        asked: "KL without what stands there",
        unit: "nats",
        refutedIf: "on other texts predictions depend as much on random directions",
      },
      needed,
      {
        more: `The predictions depend more on what stands there at the end than on random directions`,
        less: `The predictions depend less on what stands there at the end than on random directions`,
        "not shown":
          `That the predictions depend more on what stands there at the end than on random directions is not shown`,
      },
      "random ones",
    ));
  }
  if (beside) claims.push(...besides(subject, beside));
  if (putBack) claims.push(helps(subject, putBack));
  return claims;
}

/** A node that nobody erases passes a comparison with random directions as well: this one it does not. */
function besides(
  subject: { question: "reuse"; model: string; node: string },
  { node, others, needed }: NonNullable<ReuseFinding["beside"]>,
): Claim[] {
  const refutedIf = `on other texts the interval of ${node} meets or passes it`;
  const of = (asked: string, unit: Claim["unit"], numbers: typeof others, what: string, verb: string) => ({
    ...claim({ ...subject, asked, unit, refutedIf }, numbers, {
      more: `${what} more ${verb} ${node}, which is not erased`,
      less: `${what} less ${verb} ${node}, which is not erased`,
      "not shown": `That ${what.toLowerCase()} more ${verb} ${node}, which is not erased, is not shown`,
    }, node),
    controlName: "of a node that is not erased",
  });
  return [
    of(
      "others' content, beside a node not erased",
      "share",
      others,
      "Others write",
      "into them than into those of",
    ),
    of("KL, beside a node not erased", "nats", needed, "The predictions depend on them", "than on those of"),
  ];
}

/** Whether the trained model does worse with the output put back; and by more than with any such vector. */
function helps(subject: { question: "reuse"; model: string; node: string }, putBack: Compared): Claim {
  const better = putBack.own.interval[1] < 0, worse = putBack.own.interval[0] > 0;
  const back = `With what was erased of ${subject.node} put back, the model as it was trained`;
  const gains = `${back} predicts better, so it is not helped by the erasing`;
  return claim(
    {
      ...subject,
      asked: "loss with what was erased put back",
      unit: "nats",
      refutedIf: "on other texts the loss rises as much with the same vector rotated, or falls",
    },
    putBack,
    {
      more: better
        ? gains
        : worse
        ? `${back} predicts worse, by more than with a rotated vector`
        : `${back} loses more than with a rotated vector; that it predicts worse is not shown`,
      less: better ? gains : `${back} loses less than with a rotated vector`,
      "not shown": better
        ? gains
        : `That what was erased of ${subject.node}, put back, costs the model more than a ` +
          `rotated vector is not shown`,
    },
    "rotated",
  );
}

const FACTOR: Record<RoleFinding["about"]["factor"], string> = {
  position: "the position",
  token: "the token",
  previous: "the token before",
  prompt: "the prompt",
};

function roleClaims({ writer, says, about, lost }: RoleFinding, model: string): Claim[] {
  const subject = { question: "role" as const, model, node: writer };
  const claims: Claim[] = [];
  if (says) {
    const { dla: own, rotated } = says, token = JSON.stringify(says.token);
    const value = rotated.reduce((a, b) => a + b, 0) / rotated.length;
    const control: Estimate = { value, interval: [Math.min(...rotated), Math.max(...rotated)] };
    claims.push(claim(
      {
        ...subject,
        asked: "largest mean DLA of any token",
        unit: "logits",
        refutedIf: "another rotation speaks as much for some token",
      },
      { own, control },
      {
        more: `${writer} speaks, on average, for ${token} more than its rotated output speaks for any token`,
        less: `${writer} speaks, on average, less for any token than its rotated output does`,
        "not shown":
          `That ${writer} speaks for any token more than its rotated output does is not shown; its first is ${token}`,
      },
      `rotated (range of ${rotated.length})`,
    ));
  }
  const chance: Estimate = { value: about.shuffled, interval: [about.shuffled, about.shuffled] };
  const factor = FACTOR[about.factor];
  const labels = listed(Object.values(FACTOR));
  claims.push(claim(
    {
      ...subject,
      asked: "variance that only one label explains",
      unit: "share",
      refutedIf: "on other texts shuffled labels explain as much",
    },
    { own: about.last, control: chance },
    {
      more: `Of what only one of ${labels} explains of ${writer}'s variance, ${factor} explains most, ` +
        `more than shuffled labels do`,
      less:
        `Of ${writer}'s variance ${factor} explains less, beside the other three, than shuffled labels do`,
      "not shown": `That ${factor} explains more of ${writer}'s variance, beside the other three, than ` +
        `shuffled labels do is not shown`,
    },
    "shuffled once",
  ));
  if (lost) {
    claims.push(claim(
      {
        ...subject,
        asked: "loss without the output",
        unit: "nats",
        refutedIf: "on other texts the loss is as high without a rotated vector",
      },
      lost,
      {
        more: `Without ${writer} the loss is higher, by more than without a rotated vector`,
        less: `Without ${writer} the loss rises by less than without a rotated vector`,
        "not shown":
          `That the loss without ${writer} rises by more than without a rotated vector is not shown`,
      },
      "rotated",
    ));
  }
  return claims;
}
