/** One code cell of a page: its editor, its buttons, its outputs. */
import type { CodeCell, ErrorOutput, Output } from "../../jupyter/notebook.ts";
import { OutputCollector } from "../../jupyter/outputs.ts";
import type { Message } from "../../jupyter/messages.ts";
import type { Fault } from "../worker/scope.ts";
import { Editor } from "./editor.ts";
import { type Kernel, Stopped } from "./kernel.ts";
import { drawFault, drawNote, drawOutputs } from "./outputs.ts";
import type { Edits } from "./store.ts";

/** What remembers the edits of cells. */
export type Memory = Pick<Edits, "get" | "set">;

/** "new": not run since the kernel began. */
export type CellState = "new" | "waiting" | "running" | "done" | "failed" | "stopped";

const IN_WORDS: Record<CellState, string> = {
  new: "",
  waiting: "waits",
  running: "running …",
  done: "done",
  failed: "failed",
  stopped: "stopped",
};

export interface CellEvents {
  onRun(cell: PageCell, goOn: boolean): void;
  onEdit(cell: PageCell): void;
  /** Another cell that makes a name, in words such as "code cell 2". */
  whoMakes(name: string, cell: PageCell): string | undefined;
  /** What stands below a cell that was stopped. */
  readonly stopped: string;
}

export class PageCell {
  readonly id: string;
  readonly editor: Editor;
  outputs: Output[] = [];
  state: CellState = "new";
  readonly #element: HTMLElement;
  readonly #outputs: HTMLElement;
  readonly #state = Object.assign(document.createElement("span"), { className: "state" });
  readonly #run = button("Run", "run");
  readonly #reset = button("Reset", "reset");

  constructor(
    public original: CodeCell,
    readonly number: number,
    readonly edits: Memory,
    readonly events: CellEvents,
  ) {
    this.id = original.id;
    this.#element = document.getElementById(`cell-${this.id}`)!;
    this.#outputs = this.#element.querySelector<HTMLElement>(".outputs")!;
    const label = this.#element.getAttribute("aria-label")!;
    this.editor = new Editor(
      this.#element.querySelector(".editor")!,
      edits.get(this.id) ?? original.source,
      label,
      { onChange: (source) => this.#changed(source), onRun: (goOn) => events.onRun(this, goOn) },
    );
    this.#run.setAttribute("aria-label", `Run code cell ${number}`);
    this.#reset.setAttribute("aria-label", `Reset code cell ${number}`);
    this.#run.addEventListener("click", () => events.onRun(this, false));
    this.#reset.addEventListener("click", () => this.reset());
    this.#element.querySelector(".cell-tools")!.append(this.#run, this.#reset, this.#state);
    this.#reset.hidden = !this.isEdited;
  }

  get isEdited(): boolean {
    return this.editor.source !== this.original.source;
  }

  reset(): void {
    if (this.isEdited) this.editor.source = this.original.source;
  }

  /** Puts another text in the place of the original one. */
  replace(source: string): void {
    this.original = { ...this.original, source };
    this.editor.source = source;
  }

  #changed(source: string): void {
    this.edits.set(this.id, source === this.original.source ? undefined : source);
    this.#reset.hidden = !this.isEdited;
    this.events.onEdit(this);
  }

  setState(state: CellState, seconds?: number): void {
    this.state = state;
    this.#element.dataset.state = state;
    this.#state.textContent = IN_WORDS[state] + (seconds === undefined ? "" : `, ${seconds.toFixed(1)} s`);
  }

  /** Of the last run. */
  #collector?: OutputCollector;

  /** Runs the cell. Resolves to whether it succeeded. */
  async run(kernel: Kernel): Promise<boolean> {
    const collector = new OutputCollector(), files = new Map<string, string>();
    /** What stands below the outputs: why it ended. */
    let ending = () => {};
    const draw = () => {
      drawOutputs(this.#outputs, this.outputs = collector.outputs, files);
      ending();
    };
    let drawing = 0;
    const drawSoon = () =>
      drawing ||= requestAnimationFrame(() => {
        drawing = 0;
        if (this.#collector === collector) draw(); // what is late is not drawn over a later run's
      });
    this.#collector = collector;
    this.setState("running");
    this.editor.mark();
    const began = performance.now();
    try {
      const fault = await kernel.run(this.id, this.editor.source, {
        output: ({ msg_type, content }) => {
          if (collector.add({ header: { msg_type }, content } as unknown as Message)) drawSoon();
        },
        file: (name, content) => void files.set(name, content),
      });
      if (fault) {
        collector.outputs.push(errorOutput(fault));
        ending = () => this.#drawFault(fault);
      }
      this.setState(fault ? "failed" : "done", (performance.now() - began) / 1000);
      return !fault;
    } catch (error) {
      const stopped = error instanceof Stopped;
      ending = () =>
        stopped
          ? drawNote(this.#outputs, this.events.stopped)
          : drawFault(this.#outputs, { name: "Error", message: (error as Error).message }, "");
      this.setState(stopped ? "stopped" : "failed");
      return false;
    } finally {
      draw();
    }
  }

  #drawFault(fault: Fault): void {
    const { name, message, line } = fault, own = fault.cell === this.id;
    if (own && line !== undefined) this.editor.mark(line);
    const column = name === "SyntaxError" && fault.column ? `, column ${fault.column}` : "";
    const where = line === undefined ? "" : `in line ${line}${own ? column : " of another cell"}`;
    const [, missing] = /^(?:Can't find variable: )?([\w$]+)(?: is not defined)?$/.exec(message) ?? [];
    const maker = name === "ReferenceError" && missing && this.events.whoMakes(missing, this);
    const hint = fault.ends
      ? "The page is ready again, and what cells had made is gone. Run them again, or choose the processor above."
      : maker
      ? `${missing} is made by ${maker}: run that first.`
      : "";
    drawFault(this.#outputs, fault, where, hint);
  }

  focus(): void {
    this.editor.focus();
    this.#element.scrollIntoView({ block: "nearest" });
  }

  /** The cell with its present text and outputs, as a notebook holds it. */
  asNotebookCell(count: number | null): CodeCell {
    return { ...this.original, source: this.editor.source, outputs: this.outputs, execution_count: count };
  }
}

const errorOutput = ({ name, message }: Fault): ErrorOutput => ({
  output_type: "error",
  ename: name,
  evalue: message,
  traceback: [`${name}: ${message}`],
});

function button(text: string, className: string): HTMLButtonElement {
  return Object.assign(document.createElement("button"), { type: "button", textContent: text, className });
}
