// The Kubernetes job has the form of batch/v1; no cluster is at hand.
import { assertEquals } from "@std/assert";
// deno-lint-ignore no-import-prefix
import { parse } from "npm:yaml@2.8.1"; // no package of the project: this test alone reads YAML
import { schemaViolations } from "../cli/json_schema.ts";

const file = new URL("../../lib/cli/cluster/kubernetes.yaml", import.meta.url);

/**
 * What of batch/v1 Job the file uses, with the types of Kubernetes 1.30's OpenAPI
 * (io.k8s.api.batch.v1.JobSpec, io.k8s.api.core.v1.PodSpec and Container): another name, or a number where
 * text is wanted, is refused there too.
 */
const text = { type: "string" }, number = { type: "integer" };
const object = (properties: Record<string, unknown>, required: string[] = []) => (
  { type: "object", properties, required, additionalProperties: false }
);
const list = (items: unknown) => ({ type: "array", items });
const quantities = object({ cpu: text, memory: text });
const JOB = object({
  apiVersion: { const: "batch/v1" },
  kind: { const: "Job" },
  metadata: object({ name: text }, ["name"]),
  spec: object({
    completionMode: { enum: ["Indexed", "NonIndexed"] },
    completions: number,
    parallelism: number,
    backoffLimitPerIndex: number,
    podReplacementPolicy: { enum: ["Failed", "TerminatingOrFailed"] },
    template: object({
      spec: object({
        restartPolicy: { enum: ["Never"] }, // the only one with backoffLimitPerIndex
        terminationGracePeriodSeconds: number,
        containers: list(object({
          name: text,
          image: text,
          workingDir: text,
          command: list(text),
          args: list(text),
          resources: object({ requests: quantities, limits: quantities }),
          volumeMounts: list(object({ name: text, mountPath: text }, ["name", "mountPath"])),
        }, ["name", "image"])),
        volumes: list(object({
          name: text,
          persistentVolumeClaim: object({ claimName: text }, ["claimName"]),
        }, ["name"])),
      }, ["containers", "restartPolicy"]),
    }, ["spec"]),
  }, ["template"]),
}, ["apiVersion", "kind", "metadata", "spec"]);

Deno.test("kubernetes.yaml is an Indexed Job with as many shards as completions", async () => {
  const job = parse(await Deno.readTextFile(file));
  assertEquals(schemaViolations(job, JOB), []);
  assertEquals(schemaViolations({ ...job, spec: { ...job.spec, completions: "8" } }, JOB), [
    "report.spec.completions is string; expected integer",
  ]);
  const { completionMode, completions, template } = job.spec, [{ args }] = template.spec.containers;
  assertEquals(completionMode, "Indexed");
  assertEquals(/--shard "\$JOB_COMPLETION_INDEX\/(\d+)"/.exec(args[0])?.[1], String(completions));
  const mounted = template.spec.containers[0].volumeMounts.map(({ name }: { name: string }) => name);
  assertEquals(mounted, template.spec.volumes.map(({ name }: { name: string }) => name));
});
