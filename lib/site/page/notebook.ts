/** The script of a notebook's page. */
import { type Notebook, serializeNotebook } from "../../jupyter/notebook.ts";
import { PageCell } from "./cell.ts";
import { deviceChoice } from "./device.ts";
import { isolate } from "./isolation.ts";
import { Kernel } from "./kernel.ts";
import { inWords, reporter } from "./status.ts";
import { Edits } from "./store.ts";
import { themeButton } from "./theme.ts";

interface PageData {
  name: string;
  worker: string;
  notebook: Notebook;
}

const byId = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const { name, worker, notebook }: PageData = JSON.parse(byId("page-data").textContent!);
const runAll = byId<HTMLButtonElement>("run-all"), stop = byId<HTMLButtonElement>("stop");
const reset = byId<HTMLButtonElement>("reset"), download = byId<HTMLButtonElement>("download");

const { say, showProgress, onFetch } = reporter();
const script = deviceChoice(new URL(`assets/${worker}`, location.href).href, changeDevice);
const kernel = new Kernel(script, { onFetch });

const edits = new Edits(name);
const codeCells = notebook.cells.flatMap((cell) => cell.cell_type === "code" ? [cell] : []);
const cells: PageCell[] = codeCells.map((cell, i) =>
  new PageCell(cell, i + 1, edits, {
    onRun: (cell, goOn) => void run([cell], goOn),
    onEdit: showEdits,
    whoMakes,
    stopped: "Stopped. What the cells above had made is gone: run them again, or run all.",
  })
);

function showEdits(): void {
  const edited = cells.filter((cell) => cell.isEdited).length;
  reset.disabled = edited === 0;
  if (!edits.kept) say("This browser keeps no edits: download the page before you leave it.");
}

function whoMakes(wanted: string, asking: PageCell): string | undefined {
  const escaped = wanted.replace(/\$/g, "\\$");
  const makes = new RegExp(
    `\\b(?:const|let|var|function|class|import)\\b[^=;()]*(?<![\\w$])${escaped}(?![\\w$])`,
  );
  const maker = cells.find((cell) => cell !== asking && makes.test(cell.editor.source));
  return maker && `code cell ${maker.number}`;
}

let running: Promise<unknown> | undefined;

/** Runs cells one after another, up to the first that fails. */
async function run(chosen: readonly PageCell[], goOn = false): Promise<void> {
  if (running) return say("A cell is running: wait for it, or stop it.");
  const work = runEach(chosen);
  running = work;
  runAll.disabled = true;
  stop.disabled = false;
  try {
    await work;
  } finally {
    running = undefined;
    runAll.disabled = false;
    stop.disabled = true;
    showProgress();
  }
  if (goOn) cells[cells.indexOf(chosen.at(-1)!) + 1]?.focus();
}

async function runEach(chosen: readonly PageCell[]): Promise<void> {
  for (const cell of chosen) cell.setState("waiting");
  const began = performance.now();
  for (const [i, cell] of chosen.entries()) {
    say(chosen.length > 1 ? `Running cell ${i + 1} of ${chosen.length}` : `Running code cell ${cell.number}`);
    if (chosen.length > 1) showProgress(i, chosen.length);
    const succeeded = await cell.run(kernel);
    if (!succeeded) {
      for (const rest of chosen.slice(i + 1)) rest.setState("new");
      const stopped = cell.state === "stopped";
      if (!kernel.isRunning) {
        for (const each of cells) if (each !== cell && each.state === "done") each.setState("new");
      }
      return say(stopped ? "Stopped" : `Code cell ${cell.number} failed`);
    }
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  say(
    chosen.length > 1
      ? `All cells ran, in ${seconds} s`
      : `Code cell ${chosen[0].number} ran, in ${seconds} s`,
  );
}

function downloadNotebook(): void {
  let count = 0;
  const byCell = new Map(cells.map((cell) => [cell.id, cell]));
  const whole: Notebook = {
    ...notebook,
    cells: notebook.cells.map((cell) => {
      const own = byCell.get(cell.id);
      return own ? own.asNotebookCell(own.state === "done" ? ++count : null) : cell;
    }),
  };
  const url = URL.createObjectURL(new Blob([serializeNotebook(whole)], { type: "application/x-ipynb+json" }));
  Object.assign(document.createElement("a"), { href: url, download: `${name}.ipynb` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

runAll.addEventListener("click", () => void run(cells));
stop.addEventListener("click", () => kernel.stop());
reset.addEventListener("click", () => {
  if (confirm("Undo all edits of this page?")) cells.forEach((cell) => cell.reset());
});
download.addEventListener("click", downloadNotebook);
themeButton(byId("theme"));
byId("not-started").remove();
showEdits();

function ready(): void {
  for (const button of [runAll, download]) button.disabled = false;
  say("Nothing has run yet");
  start();
}

/** What cells have made is gone with their worker. */
async function changeDevice(script: string): Promise<void> {
  kernel.script = script;
  kernel.stop();
  await running;
  say("Starting anew: what cells made is gone");
  const done = cells.filter(({ state }) => state === "done" || state === "failed" || state === "stopped");
  for (const cell of done) cell.setState("new");
  start(done.length > 0 ? ": run the cells again" : "");
}

/** @param then what stands behind the line that says that it is ready */
function start(then = ""): void {
  kernel.start().then(
    (runtime) => {
      if (!running) {
        say(`Ready, ${inWords(runtime)}${then}`);
        showProgress();
      }
    },
    (error) => {
      if (!running) say(error.message);
      showProgress();
    },
  );
}

if (!(await isolate())) ready();
