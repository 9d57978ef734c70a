/** A run goes where its weights are. */
import type { Device } from "./device.ts";
import type { Node } from "./node.ts";
import { leavesIn } from "./walk.ts";

/** The device of the weights behind `roots`: "cpu" where none says. @throws for weights on two devices */
export function deviceOf(roots: readonly Node[]): Device {
  const found = new Map<Device, string>();
  for (const { op } of leavesIn(roots)) {
    if (op.kind === "param" && op.device) found.set(op.device, op.label);
  }
  if (found.size > 1) {
    const where = [...found].map(([device, label]) => `${label} on "${device}"`).join(", ");
    throw new Error(
      `run: got weights on several devices: ${where}; expected one. Load the models with the same device, ` +
        `or name one for this run: { device: "cpu" }`,
    );
  }
  return [...found.keys()][0] ?? "cpu";
}
