import { assertEquals } from "@std/assert";
import { type Fields, newMessage } from "../../lib/jupyter/messages.ts";
import { OutputCollector } from "../../lib/jupyter/outputs.ts";

function collect(...messages: [string, Fields][]) {
  const collector = new OutputCollector();
  for (const [type, content] of messages) collector.add(newMessage(type, content, "s"));
  return collector.outputs as Fields[];
}
const stream = (name: string, text: string): [string, Fields] => ["stream", { name, text }];
const shown = (text: string, id?: string): [string, Fields] => [
  "display_data",
  { data: { "text/plain": text }, metadata: {}, transient: id ? { display_id: id } : {} },
];

Deno.test("OutputCollector joins neighbouring streams of one name only", () => {
  const outputs = collect(
    stream("stdout", "a\n"),
    stream("stdout", "b\n"),
    stream("stderr", "c\n"),
    stream("stdout", "d\n"),
  );
  assertEquals(outputs.map(({ name, text }) => [name, text]), [
    ["stdout", "a\nb\n"],
    ["stderr", "c\n"],
    ["stdout", "d\n"],
  ]);
});

Deno.test("OutputCollector keeps results, displays and errors as nbformat names them", () => {
  const outputs = collect(
    ["execute_result", { execution_count: 3, data: { "text/plain": "3" }, metadata: {} }],
    shown("x"),
    ["error", { ename: "Error", evalue: "boo", traceback: ["Error: boo"] }],
    ["status", { execution_state: "idle" }],
    ["execute_input", { code: "1" }],
  );
  assertEquals(outputs as unknown, [
    { output_type: "execute_result", execution_count: 3, data: { "text/plain": "3" }, metadata: {} },
    { output_type: "display_data", data: { "text/plain": "x" }, metadata: {} },
    { output_type: "error", ename: "Error", evalue: "boo", traceback: ["Error: boo"] },
  ]);
});

Deno.test("OutputCollector: update_display_data replaces the output of its id, in place", () => {
  const [, update] = shown("new", "bar");
  const outputs = collect(shown("old", "bar"), stream("stdout", "s"), ["update_display_data", update]);
  assertEquals(outputs.map((output) => output.data?.["text/plain"] ?? output.text), ["new", "s"]);
  const [, unknown] = shown("new", "nowhere");
  assertEquals(collect(shown("old", "bar"), ["update_display_data", unknown])[0].data["text/plain"], "old");
});

Deno.test("OutputCollector: clear_output clears at once, or with wait when the next output comes", () => {
  assertEquals(collect(stream("stdout", "a"), ["clear_output", { wait: false }]), []);
  assertEquals(collect(stream("stdout", "a"), ["clear_output", { wait: true }]).length, 1);
  const outputs = collect(stream("stdout", "a"), ["clear_output", { wait: true }], stream("stdout", "b"));
  assertEquals(outputs.map(({ text }) => text), ["b"]);
});

Deno.test("OutputCollector.add() says whether the outputs changed", () => {
  const collector = new OutputCollector();
  assertEquals(collector.add(newMessage("status", { execution_state: "busy" }, "s")), false);
  assertEquals(collector.add(newMessage("stream", { name: "stdout", text: "a" }, "s")), true);
  assertEquals(collector.error, undefined);
});
