/**
 * The library: models, lazy tensors, metrics, experiments, scan. What draws is in figures/mod.ts, what needs
 * a notebook in mod.ts.
 *
 * @module
 */

// Models and prompts: load them, run them, look inside.
export { loadModel, type LoadOptions, promptsFor, type PromptsForOptions } from "./transformer/load.ts";
export { feed, type ForwardOptions, Model } from "./transformer/model.ts";
export { Forward } from "./transformer/forward.ts";
export { type Hook, hookPoints, type Hooks } from "./transformer/hook_points.ts";
export { findNode, headName, locations, type ModelNode, modelNodes } from "./transformer/nodes.ts";
export type { Processing } from "./transformer/processing.ts";
export {
  type AdversarialPrompt,
  type Cleanup,
  loadPrompts,
  type ModelConfig,
  type Prompts,
  shorten,
  type Tokenizer,
} from "./checkpoints/mod.ts";

// Lazy tensors with named dims: expressions, and the run that computes them.
export { concat, constant, iota, param, stack, Tensor, where } from "./tensor/tensor.ts";
export { NdArray } from "./tensor/nd_array.ts";
export type { Device } from "./tensor/device.ts";
export { type Batch, cost, type Progress, run, type RunOptions, stream } from "./tensor/run.ts";

// Metrics: lazy tensors in, lazy tensors out.
export {
  headDots,
  headProjectionRatios,
  projectionRatio,
  projectionRatiosOntoHeads,
} from "./metrics/projection.ts";
export {
  attributionTerms,
  attributionVector,
  directLogitAttribution,
  readDifference,
  topTwo,
  unembedding,
} from "./metrics/attribution.ts";
export { neuronCosines, neuronDots } from "./metrics/neurons.ts";
export { logitDot, logitMetric, throughFinalNorm } from "./metrics/logit_metric.ts";
export { compositionZ, vInputPatch, writtenByHeads } from "./metrics/v_composition.ts";
export {
  atPositions,
  removal,
  type RemovedPositions,
  responses,
  retained,
  type Route,
} from "./metrics/retention.ts";
export { rotated, type RotatedConfig, rotation } from "./metrics/rotation.ts";
export { decompose, type Decomposition } from "./metrics/components.ts";
export { laterLocations, type LaterNode, laterNodes } from "./metrics/later_nodes.ts";

// Plain statistics on arrays.
export { quantiles } from "./stats/quantiles.ts";
export { regress, type Regression } from "./stats/regression.ts";

// Experiments: a model and prompts in, rows out. In the order of the figures.
export { type MeasureOptions, type Result } from "./experiments/experiment.ts";
export { residualProjections } from "./experiments/residual_projections.ts";
export { nodeProjections, sumName } from "./experiments/node_projections.ts";
export { patchedProjections, type PatchOptions } from "./experiments/patched_projections.ts";
export { resampledAttribution } from "./experiments/adversarial.ts";
export { adversarialFor, findAdversarialPrompts, type FindOptions } from "./experiments/find_adversarial.ts";
export {
  cleanerHeads,
  cleanerOutputs,
  compositionAttribution,
  type CompositionOptions,
  REPOSITORY_FORM,
} from "./experiments/composition_attribution.ts";
export {
  baselineInWords,
  type BaselineOptions,
  cancellationBaseline,
  fitsOverPrompts,
} from "./experiments/composition_fits.ts";
export {
  type EmbeddingNormOptions,
  embeddingNorms,
  type NormSummary,
} from "./experiments/embedding_norms.ts";
export { resampleAblation, type ResampleOptions } from "./experiments/resample_ablation.ts";
export { type BosParts, bosParts } from "./experiments/bos_parts.ts";
export { promptAblation } from "./experiments/prompt_ablation.ts";
export { promptLocations } from "./experiments/prompt_locations.ts";
export { allPairs } from "./experiments/all_pairs.ts";
export {
  type AttributionCheck,
  type AttributionOptions,
  checkAttribution,
  type RemovedAt,
} from "./experiments/attribution/check_attribution.ts";
export type {
  AnswerRow,
  AttributionRow,
  Credit,
  ResampledRow,
  StepRow,
  SumRow,
  TermRow,
} from "./experiments/attribution/rows.ts";
export { attributionInWords } from "./experiments/attribution/words.ts";
export { retention, type RetentionOptions, type RetentionResult } from "./experiments/retention/retention.ts";
export {
  cleanersInDetail,
  type CleanersOptions,
  type CleanersResult,
} from "./experiments/cleaners/cleaners.ts";
export { cleanersInDetailInWords } from "./experiments/cleaners/words.ts";
export type {
  Beside,
  DirectionRow,
  LensRow,
  NeuronRow,
  PartsRow,
  PositionsRow,
  SuppressionRow,
} from "./experiments/cleaners/rows.ts";
export { cleanersInWords, cleanupInWords, retentionInWords } from "./experiments/retention/in_words.ts";
export type {
  AblationRow,
  Band,
  CleanerRow,
  Estimate,
  FirstPositionRow,
  Fit,
  FitRow,
  LocationRow,
  LossRow,
  NodeRow,
  NormRow,
  PairRow,
  PositionRow,
  PromptLocationRow,
  PromptRow,
  RemovalName,
  Replacement,
  ResponseRow,
  RetentionRow,
  RunName,
  WriterRow,
} from "./experiments/rows.ts";

export { reuse, type ReuseOptions, type ReuseResult } from "./experiments/reuse/reuse.ts";
export { valuesOf } from "./experiments/estimates.ts";
export { reuseInWords } from "./experiments/reuse/words.ts";
export type {
  Above,
  ChangedRow,
  NeededRow,
  OccupancyRow,
  Phase,
  PutBackRow,
  ReadRow,
  SpanName,
  SpanRow,
  WrittenRow,
} from "./experiments/reuse/rows.ts";

export { role, type RoleOptions, type RoleResult } from "./experiments/role/role.ts";
export { roleInWords } from "./experiments/role/words.ts";
export type {
  AttentionRow,
  ChanceRow,
  EdgeRow,
  Factor,
  VarianceRow,
  VocabularyRow,
  Without,
  WithoutRow,
} from "./experiments/role/rows.ts";

// A model of which nothing is known yet: look for writers and cleaners in it.
export { foundWriters, scan, type ScanOptions, type ScanResult } from "./experiments/scan/scan.ts";
export { listed } from "./experiments/numbers_in_words.ts";
export { inWords } from "./experiments/scan/words.ts";
export { withWriter, type WithWriterOptions } from "./experiments/scan/with_writer.ts";
export { DEFAULT_SETTINGS, type ScanSettings } from "./experiments/scan/settings.ts";

// Several models side by side.
export { census, type CensusOptions, type CensusResult } from "./experiments/census/census.ts";
export { censusInWords, modelsInWords } from "./experiments/census/words.ts";
export type {
  ContractionRow,
  CosineRow,
  EarlyRow,
  Repair,
  SelfRepairRow,
} from "./experiments/census/rows.ts";

// The post's three open questions, claim by claim.
export { findings, type FindingsOptions } from "./experiments/findings/findings.ts";
export { claimsOf } from "./experiments/findings/claims.ts";
export type { Claim, Question, Unit, Verdict } from "./experiments/findings/claim.ts";
export { besideThePost } from "./experiments/findings/occurrence.ts";
export {
  type CheckedNumber,
  type Emergence,
  emergence,
  emergenceInWords,
  type EmergenceRow,
  emergenceRows,
  type KnownFindings,
  knownFindings,
  type TrainedModel,
} from "./experiments/findings/known.ts";
export type {
  Compared,
  Findings,
  NodeFinding,
  ReuseFinding,
  RoleFinding,
  WriterFinding,
} from "./experiments/findings/rows.ts";
export type { PublishedRow } from "./experiments/census/published.ts";
export { type Document, documents } from "./checkpoints/prompts/documents.ts";
export { type PackOptions, packPrompts } from "./checkpoints/prompts/packed_prompts.ts";

// Expected values: what TransformerLens or the post says, and how measured rows compare.
export {
  compare,
  type Comparison,
  type Expected,
  expectedRows,
  loadExpected,
  summary,
  worst,
} from "./experiments/expected.ts";

// Types that the functions above take and return.
export type { Activation, Normalization, RotaryScaling } from "./checkpoints/config.ts";
export type { AdversarialPrompts } from "./checkpoints/adversarial.ts";
export type { FetchPromptsOptions, PromptOptions, PromptSource, ResolveOptions } from "./checkpoints/mod.ts";
export type { PromptKind } from "./checkpoints/prompts/prompts.ts";
export type { LongText } from "./checkpoints/prompts/documents.ts";
export type { ReadWatch } from "./checkpoints/prompts/text_lines.ts";
export type { CompareKind, Data, View } from "./tensor/node.ts";
export type { Dim, Size } from "./tensor/dims.ts";
export type { Cost } from "./tensor/memory.ts";
export type { Feeds } from "./tensor/run.ts";
export type { Output, Outputs, Results } from "./tensor/outputs.ts";
export type { Weights } from "./transformer/weights.ts";
export type { WeightsIn } from "./transformer/where_weights_live.ts";
export type { Component, PositionRange } from "./metrics/components.ts";
export type { QuestionOptions } from "./experiments/attribution/question.ts";
export type { EmbeddingNorms } from "./experiments/embedding_norms.ts";
export type { CompareOptions, ExpectedFigure } from "./experiments/expected.ts";
export type { Lengths } from "./experiments/retention/sizes.ts";
export type { Removed } from "./experiments/retention/variants.ts";
export type { PairResponseRow } from "./experiments/rows.ts";
export type { Candidate } from "./experiments/scan/candidates.ts";
export type { ExaminedWriter } from "./experiments/scan/examine.ts";
export type { LayerContraction, ScreenResult } from "./experiments/scan/screen.ts";
export type { Sink } from "./experiments/scan/sinks.ts";
export type { UntrainedResult } from "./experiments/scan/untrained.ts";
export type { DType } from "./tensor/node.ts";
export type { HubClientOptions } from "./checkpoints/hub/client.ts";
export type { HubSettings } from "./checkpoints/hub/settings.ts";
export type { DownloadProgress, OnDownload } from "./checkpoints/hub/download.ts";
export type { Weight } from "./transformer/weights.ts";
export type { Tolerance } from "./experiments/expected.ts";
export type { ScreenedNode } from "./experiments/scan/screen.ts";
export type { RouteShares } from "./experiments/scan/routes.ts";
export type { Attribution } from "./experiments/scan/attribution.ts";
