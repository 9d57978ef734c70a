/**
 * Run as a process of its own by hub_test.ts, with every permission: finds the model that is named first,
 * with the endpoint and the cache of the environment, and prints what it found as JSON.
 */
import { resolveModel } from "../../../lib/checkpoints/resolve_model.ts";

const found = await resolveModel(Deno.args[0], { pauseMs: 10, timeoutMs: 5000 });
const config = await Deno.lstat(`${found.folder}/config.json`);
const target = config.isSymlink ? await Deno.readLink(`${found.folder}/config.json`) : undefined;
console.log(JSON.stringify({ ...found, target }));
