/** The device of a model that is loaded without one. */
import type { Device } from "./device.ts";

/** Undefined: the processor. On a page of the site another file stands here, and the reader chooses. */
export const usualDevice = (): Device | undefined => undefined;
