/** In place of tensor/usual_device.ts: what the page puts behind the address of its worker (page/device.ts). */
export const usualDevice = (): "webgpu" | undefined =>
  new URL(self.location.href).searchParams.get("device") === "webgpu" ? "webgpu" : undefined;
