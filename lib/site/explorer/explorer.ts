/**
 * The script of the explorer: choices → code → a cell that runs. The address always restores what is seen.
 */
import { PageCell } from "../page/cell.ts";
import { deviceChoice } from "../page/device.ts";
import { isolate } from "../page/isolation.ts";
import { Kernel } from "../page/kernel.ts";
import { reporter } from "../page/status.ts";
import { themeButton } from "../page/theme.ts";
import { hashOf, parseState, type State } from "./state.ts";
import { DESCRIBED } from "./views.ts";

interface PageData {
  worker: string;
  nodes: string[];
  defaults: State;
}

/** After the last key, before it runs. */
const PAUSE_MS = 700;

const byId = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const { worker, nodes, defaults }: PageData = JSON.parse(byId("page-data").textContent!);
const form = byId<HTMLFormElement>("choices");
const field = (name: string) => form.elements.namedItem(name) as HTMLInputElement;
const stop = byId<HTMLButtonElement>("stop");
const { say, showProgress, onFetch } = reporter();
const script = deviceChoice(new URL(`assets/${worker}`, location.href).href, changeDevice);
const kernel = new Kernel(script, { onFetch });

let state = parseState(location.hash, defaults, nodes);
let running: Promise<void> | undefined, again = false;
let waiting: ReturnType<typeof setTimeout> | undefined;

const cell = new PageCell(
  { cell_type: "code", id: "view", metadata: {}, source: "", execution_count: null, outputs: [] },
  1,
  { get: () => undefined, set: () => {} },
  {
    onRun: () => void run(),
    onEdit: () => {},
    whoMakes: () => undefined,
    stopped: "Stopped. Change something above, or run the code below.",
  },
);

/** Runs the cell, and again when it has changed meanwhile. */
function run(): Promise<void> {
  again = running !== undefined;
  return running ??= runCell().finally(() => running = undefined);
}

async function runCell(): Promise<void> {
  stop.disabled = false;
  do {
    again = false;
    say("Running");
    const succeeded = await cell.run(kernel);
    say(cell.state === "stopped" ? "Stopped" : succeeded ? "Ready" : "It failed: see below");
    if (cell.state === "stopped") break;
  } while (again);
  stop.disabled = true;
  showProgress();
}

/** What the form says. */
function chosen(): State {
  const { writer, head, prompt, position, first, second } = Object.fromEntries(
    ["writer", "head", "prompt", "position", "first", "second"].map((name) => [name, field(name).value]),
  );
  return {
    view: state.view,
    prompt,
    writer,
    head,
    ...(position === "" ? {} : { position: Number(position) }),
    ...(first && second ? { answers: [first, second] } : {}),
  };
}

/** Puts the state into form, text and code, and runs that. */
function show(): void {
  const { title, about, uses, code } = DESCRIBED[state.view];
  byId("view-title").textContent = title;
  byId("view-about").textContent = about;
  const values: Record<string, string> = {
    prompt: state.prompt,
    writer: state.writer,
    head: state.head,
    position: state.position === undefined ? "" : String(state.position),
    first: state.answers?.[0] ?? "",
    second: state.answers?.[1] ?? "",
  };
  for (const [name, value] of Object.entries(values)) {
    if (field(name).value !== value) field(name).value = value;
  }
  for (const each of document.querySelectorAll<HTMLElement>("[data-uses]")) {
    each.hidden = !uses.some((name) => name === each.dataset.uses);
  }
  for (const link of document.querySelectorAll<HTMLAnchorElement>("#views a")) {
    const view = link.dataset.view as State["view"];
    link.href = hashOf({ ...state, view });
    if (view === state.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  cell.replace(code(state));
  void run();
}

function change(): void {
  clearTimeout(waiting);
  const next = chosen();
  if (hashOf(next) === hashOf(state)) return;
  state = next;
  history.replaceState(null, "", hashOf(state));
  show();
}

async function changeDevice(script: string): Promise<void> {
  kernel.script = script;
  kernel.stop();
  await running;
  void run();
}

form.addEventListener("submit", (event) => (event.preventDefault(), change()));
form.addEventListener("change", change);
form.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(change, PAUSE_MS);
});
addEventListener("hashchange", () => {
  state = parseState(location.hash, defaults, nodes);
  show();
});
stop.addEventListener("click", () => kernel.stop());
byId("link").addEventListener("click", async () => {
  history.replaceState(null, "", hashOf(state));
  await navigator.clipboard.writeText(location.href)
    .then(
      () => say("The link to this view is copied"),
      () => say("The address of this page is the link to this view"),
    );
});
themeButton(byId("theme"));
byId("not-started").remove();
if (!(await isolate())) show();
