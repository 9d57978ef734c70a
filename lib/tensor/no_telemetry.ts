/**
 * ONNX Runtime for Linux and macOS, from 1.30 on, reports its use to Microsoft and keeps an id of the device
 * in the home folder, unless this variable is set before it is loaded. Imported before the runtime, for this
 * effect. Who wants to report sets the variable to 0.
 */
import { setUnlessSet } from "../platform/environment.ts";

/** Read by ONNX Runtime alone. */
export const TELEMETRY_OFF = "ORT_DISABLE_TELEMETRY";

setUnlessSet(TELEMETRY_OFF, "1");
