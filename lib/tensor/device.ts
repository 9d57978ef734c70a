/**
 * Where a run computes: on the processor, or on a graphics card. Weights are told their device when a model
 * is loaded (`loadModel(name, { device })`), and a run goes where its weights are; the option `device` of a
 * run says otherwise for that run.
 */

/**
 * Devices by the names of ONNX Runtime. "cpu" and "webgpu" (any card with a driver for Vulkan, Metal or
 * Direct3D 12) are tested, the others are not: "cuda" (NVIDIA), "dml" (DirectML, Windows), "coreml" (Apple)
 * are handed to a runtime that lists them.
 */
export type Device = "cpu" | "webgpu" | "cuda" | "dml" | "coreml";

const DEVICES: readonly string[] = ["cpu", "webgpu", "cuda", "dml", "coreml"] satisfies Device[];

/** @throws for a name that is no device, or none of those that the runtime `lists` */
export function checkDevice(device: string, lists: readonly string[]): void {
  if (device === "cpu" || DEVICES.includes(device) && lists.includes(device)) return;
  throw new Error(
    `there is no device ${JSON.stringify(device)} here; ONNX Runtime lists ${
      lists.filter((name) => DEVICES.includes(name)).join(", ")
    } on this system. Choose one of them.`,
  );
}

/** What the operating system must have for a device. */
const NEEDS: Partial<Record<Device, string>> = {
  webgpu:
    "a graphics card with its driver: Vulkan and libvulkan.so.1 (Linux), Metal (macOS) or Direct3D 12 (Windows)",
  cuda:
    "an NVIDIA card, CUDA 12 with cuDNN 9, and ONNX Runtime's CUDA libraries, which npm does not bring (lib/INSTALL.md)",
};

/** A device that the runtime knows, and that does not answer. */
export function deviceMissing(device: Device, lists: readonly string[], cause: unknown): Error {
  return new Error(
    `device "${device}" was asked for and did not start: ${reason(cause)}. ONNX Runtime lists ${
      lists.join(", ")
    } on this system. Expected ${
      NEEDS[device] ?? "its hardware and its driver"
    }. Take device "cpu" if there is none.`,
    { cause },
  );
}

/** A run broke off on a device that had started. */
export class DeviceFailure extends Error {
  override name = "DeviceFailure";
}

/** A run that broke off on a device. A device that was lost stays so as long as the program runs. */
export function deviceFailed(device: Device, cause: unknown): DeviceFailure {
  const memory = /memory|GPU buffer|allocat|too many storage buffers|invalid buffer/i.test(reason(cause));
  return new DeviceFailure(
    `device "${device}" failed in the middle of a run: ${reason(cause)}. ${
      memory
        ? `If its memory is too small, take a smaller batchSize, or device "cpu".`
        : `If it was lost (its driver restarted, the machine slept), start the program or the kernel anew.`
    }`,
    { cause },
  );
}

/** The runtime's own words, without the place in its source. */
function reason(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.split(" was false. ").at(-1)!.trim().replace(/\.$/, "");
}
