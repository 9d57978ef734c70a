/**
 * Loads danfojs-node 1.1.2 without TensorFlow, of which it uses a few functions and which is 271 MB to fetch.
 * package.json says that tfjs-node is not wanted; here a stand-in takes the place of @tensorflow/tfjs while
 * danfojs is loaded.
 *
 * What remains: everything that works on plain arrays (DataFrame, groupby, query, sortValues, describe,
 * merge, apply …). What computes with tensors (arithmetic between two frames, `tensor`, scalers, encoders,
 * sample) says that it is not here.
 */
import Module from "node:module";
import process from "node:process";

/** @ts-ignore: in a project of one's own it may not be installed */
type Danfo = typeof import("danfojs-node");

/**
 * A DataFrame of danfojs-node 1.1.2: https://danfo.jsdata.org
 * @internal
 */
export type Frame = InstanceType<Danfo["DataFrame"]>;

const TENSORFLOW = "@tensorflow/tfjs";

/** In place of TensorFlow: data are compared with its class Tensor, and every function of it throws. */
const standIn: object = new Proxy({ Tensor: class Tensor {} }, {
  get(target, name) {
    if (name in target || typeof name === "symbol" || name === "then" || name === "__esModule") {
      return Reflect.get(target, name);
    }
    return () => {
      throw new Error(
        `danfojs: this operation computes with TensorFlow (tf.${name}), which is left out here since it is 271 MB. ` +
          "Take the columns out (`frame.column(name).values`) and compute with them.",
      );
    };
  },
});

interface Loader {
  _load(this: unknown, request: string, ...rest: unknown[]): unknown;
}

let loading: Promise<Danfo> | undefined;

/**
 * danfojs takes half a second to load, so only who makes a data frame pays for it. @throws when it is not
 * installed
 */
export function danfo(): Promise<Danfo> {
  return loading ??= load();
}

async function load(): Promise<Danfo> {
  const loader = Module as unknown as Loader, node = process as { noDeprecation?: boolean };
  const { _load } = loader, { noDeprecation } = node;
  loader._load = function (request, ...rest) {
    return request === TENSORFLOW ? standIn : _load.call(this, request, ...rest);
  };
  node.noDeprecation = true; // one of its dependencies uses a deprecated module of Node and warns about it
  try {
    const loaded = await import("danfojs-node") as unknown;
    return (loaded as { default: Danfo }).default; // a CommonJS module
  } catch (cause) {
    throw new Error(
      `frame: loading danfojs-node failed (${
        (cause as Error).message
      }). In a project of your own, install it: ` +
        "npm install --ignore-scripts danfojs-node@1.1.2",
      { cause },
    );
  } finally {
    loader._load = _load;
    node.noDeprecation = noDeprecation;
  }
}
