/**
 * Families that are refused by name, and why: what they compute is no sum of attention heads and MLPs, or is
 * not read here yet.
 */

const MIXTURE =
  "is a mixture of experts (MoE): which weights an MLP has depends on the token, and no node here stands for an expert";
const NO_HEADS =
  "has layers without attention heads (a state space, a recurrence, a convolution or linear attention)";
const SCALED_STREAM =
  "adds inputs of its own to each layer and multiplies the whole stream, so that the stream is not the sum of what was written";

/** By "model_type", or by the first of "architectures" where that is all there is. */
const reasons: readonly (readonly [name: RegExp, reason: string])[] = [
  [/^gpt_?oss/i, "has a sink in each head's softmax, and experts in a 4-bit format of their own"],
  [
    /^(jamba|bamba|mamba|falcon_?(mamba|h1)|zamba|rwkv|recurrent_?gemma|qwen3_?(next|5)|lfm2|nemotron_?h|granite_?moe_?hybrid|minimax)/i,
    NO_HEADS,
  ],
  [/^(gemma3n|gemma4)/i, SCALED_STREAM],
  [/(mixtral|moe|dbrx|arctic|grok|jetmoe|^llama4|^deepseek)/i, MIXTURE],
  [/^mpt/i, "has slopes of ALiBi of its own kind, which are not read here"],
  [/^hf_olmo/i, "is OLMo's own format; the repositories whose names end in -hf are read"],
  [/^(cohere2|glm|chatglm|internlm|baichuan|persimmon)/i, "is not read here yet"],
  [
    /^(bert|roberta|distilbert|albert|electra|deberta|xlm|modernbert)/i,
    "is no decoder: its heads see what comes later",
  ],
  [/^(t5|mt5|bart|mbart|pegasus|marian|whisper)/i, "is an encoder and a decoder: its heads read two texts"],
];

/** Why a family is not supported, as a clause; undefined when nothing is known of it. */
export function refusalOf(name: unknown): string | undefined {
  return typeof name === "string" ? reasons.find(([pattern]) => pattern.test(name))?.[1] : undefined;
}
