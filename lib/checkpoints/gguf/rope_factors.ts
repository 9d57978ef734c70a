/**
 * "rope_freqs.weight": by how much each turn of a Llama 3.1 to 3.3 is slowed. The conversion to GGUF keeps
 * these numbers in place of the settings "llama3" that they follow from, so the settings are found again
 * among those that are in use.
 *
 * Source: llama.cpp's convert_hf_to_gguf.py (generate_extra_tensors of LlamaModel).
 */
const KNOWN = [8, 32].map((factor) => ({
  rope_type: "llama3",
  factor,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
}));

/**
 * config.json's "rope_scaling"; null where nothing is slowed. @throws for factors that follow from no known
 * settings
 */
export function ropeScaling(factors: Float32Array, config: Record<string, unknown>, path: string): unknown {
  if (factors.every((x) => x === 1)) return null;
  const base = config.rope_theta as number;
  for (const known of KNOWN) {
    const expected = factors.map((_, i) => llama3Factor(base ** (i / factors.length), known));
    if (factors.every((x, i) => Math.abs(x - expected[i]) <= 1e-3 * expected[i])) return known;
  }
  throw new Error(
    `${path}: the rotation's factors in "rope_freqs.weight" are not those of Llama 3.1 or 3.2. Other ones are not supported.`,
  );
}

/** `slow`: 2π times this is the wavelength. */
function llama3Factor(slow: number, settings: typeof KNOWN[number]): number {
  const { factor, low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: length } =
    settings;
  const turns = length / (2 * Math.PI * slow);
  if (turns > high) return 1;
  if (turns < low) return factor;
  const smooth = (turns - low) / (high - low);
  return 1 / ((1 - smooth) / factor + smooth);
}
