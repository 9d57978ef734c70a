/** What the library itself reads, and a package holds. */
export const CARRIED: readonly string[] = [
  "expected/emergence.json",
  "expected/findings-smollm2-135m.json",
  "expected/gelu-4l.json",
  "expected/published.json",
  "expected/tiny-gelu-4l.json",
  "models/gelu-4l/adversarial.json",
  "models/gelu-4l/cleanup.json",
  "models/gelu-4l/prompts.json",
  "models/tiny-gelu-4l/adversarial.json",
  "models/tiny-gelu-4l/cleanup.json",
  "models/tiny-gelu-4l/config.json",
  "models/tiny-gelu-4l/model.safetensors",
  "models/tiny-gelu-4l/prompts.json",
  "models/tiny-gelu-4l/tokenizer.json",
  "prompts/held-out.safetensors",
];
