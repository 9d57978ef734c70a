/** In place of tensor/usual_device.ts: what the page puts behind its worker's address (page/device.ts). */
export const usualDevice = (): "webgpu" | undefined =>
  new URL(self.location.href).searchParams.get("device") === "webgpu" ? "webgpu" : undefined;
