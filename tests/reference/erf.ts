/**
 * The error function in double precision, for the reference forward pass.
 *
 * erf(x) = 2/√π · e^(−x²) · Σ_n 2^n x^(2n+1) / (1·3·5…(2n+1)). All terms have one sign, so nothing cancels:
 * the relative error stays near 1e-15. (Abramowitz and Stegun, 7.1.6.) Beyond 6, 1 − erf < 3e-17 and the
 * result is ±1.
 */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= 2 * x * x / (2 * n + 1);
    sum += term;
  }
  return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
}
