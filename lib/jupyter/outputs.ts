/**
 * From the messages that a kernel broadcasts during one cell to the outputs that a notebook file holds.
 *
 * Neighbouring stream messages of one name become one output; `update_display_data` replaces the output that
 * carries its display id; `clear_output` empties the list, at once or (wait) when the next output comes. The
 * names of the fields are nbformat's. Source: https://jupyter-client.readthedocs.io/en/stable/messaging.html,
 * section on iopub.
 */
import type { Message } from "./messages.ts";
import type { DisplayOutput, ErrorOutput, Output, ResultOutput } from "./notebook.ts";

export class OutputCollector {
  /** The outputs so far; a late message still changes this array. */
  readonly outputs: Output[] = [];
  readonly #byDisplayId = new Map<string, DisplayOutput | ResultOutput>();
  #clearBeforeNext = false;

  /**
   * Takes in one iopub message; other types than outputs are ignored. Returns whether the outputs changed.
   */
  add({ header, content }: Message): boolean {
    switch (header.msg_type) {
      case "stream": {
        this.#clearIfAsked();
        const last = this.outputs.at(-1);
        if (last?.output_type === "stream" && last.name === content.name) last.text += content.text;
        else this.outputs.push({ output_type: "stream", name: content.name, text: content.text });
        return true;
      }
      case "display_data":
        this.#push(
          { output_type: "display_data", data: content.data, metadata: content.metadata ?? {} },
          content,
        );
        return true;
      case "execute_result":
        this.#push({
          output_type: "execute_result",
          execution_count: content.execution_count,
          data: content.data,
          metadata: content.metadata ?? {},
        }, content);
        return true;
      case "update_display_data": {
        const shown = this.#byDisplayId.get(content.transient?.display_id);
        if (shown === undefined) return false;
        shown.data = content.data;
        shown.metadata = content.metadata ?? {};
        return true;
      }
      case "error":
        this.#clearIfAsked();
        this.outputs.push({
          output_type: "error",
          ename: content.ename,
          evalue: content.evalue,
          traceback: content.traceback,
        });
        return true;
      case "clear_output":
        this.#clearBeforeNext = true;
        if (!content.wait) this.#clearIfAsked();
        return true;
      default:
        return false;
    }
  }

  /** The error among the outputs, if there is one. */
  get error(): ErrorOutput | undefined {
    return this.outputs.find((output) => output.output_type === "error");
  }

  #push(output: DisplayOutput | ResultOutput, content: Message["content"]): void {
    this.#clearIfAsked();
    this.outputs.push(output);
    const id = content.transient?.display_id;
    if (typeof id === "string") this.#byDisplayId.set(id, output);
  }

  #clearIfAsked(): void {
    if (!this.#clearBeforeNext) return;
    this.#clearBeforeNext = false;
    this.outputs.length = 0;
    this.#byDisplayId.clear();
  }
}
