/**
 * Errors that the kernel keeps to itself: a rejected promise that nobody awaits, an exception in a timer. The
 * cell counts as run and leaves no trace of them (denoland/deno#8858), so a hidden cell listens for them, and
 * another asks after each cell what came.
 *
 * The answer is a display output, and so also shows whether outputs still arrive: the kernel mixes up or
 * loses messages of more than about 8 MB, and all that follow.
 */
import type { Kernel } from "./kernel.ts";
import type { DisplayOutput } from "./notebook.ts";

const KEY = `Symbol.for("cleanup-lens.faults")`;
const MARK = "application/x-cleanup-lens-faults";
const MOST_CHARACTERS = 4000;

const LISTEN = `{
  const faults = globalThis[${KEY}] = [];
  const keep = (what, error) => faults.push(what + ": " + String(error?.stack ?? error).slice(0, ${MOST_CHARACTERS}));
  addEventListener("unhandledrejection", (event) => { event.preventDefault(); keep("Unhandled rejection", event.reason); });
  addEventListener("error", (event) => { event.preventDefault(); keep("Uncaught", event.error ?? event.message); });
}`;

const ASK = `await new Promise((resolve) => setTimeout(resolve, 0));
await Deno.jupyter.broadcast("display_data",
  { data: { "${MARK}": globalThis[${KEY}].splice(0) }, metadata: {}, transient: {} });`;

/** Begins to listen, in a kernel that has run nothing yet. */
export async function listenForFaults(kernel: Kernel): Promise<void> {
  await kernel.execute(LISTEN, { silent: true, settled: () => true });
}

/** What came since it was last asked, each with its stack. @throws when outputs no longer arrive */
export async function takeFaults(kernel: Kernel): Promise<string[]> {
  const isAnswer = (output: unknown): output is DisplayOutput =>
    MARK in ((output as DisplayOutput).data ?? {});
  const settled = (outputs: readonly unknown[]) => outputs.some(isAnswer);
  const { outputs } = await kernel.execute(ASK, { silent: true, settled, timeoutMs: 30_000 });
  const answer = outputs.find(isAnswer);
  if (answer) return answer.data[MARK] as string[];
  throw new Error(
    "Outputs of this cell were lost: the kernel loses what is larger than about 8 MB, and what follows. " +
      "Show less at once, or write it to a file.",
  );
}
