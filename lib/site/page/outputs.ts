/**
 * The outputs of a cell in the page: figures as SVG with their text, tables, printed text, errors with line
 * and message.
 */
import type { ErrorOutput, Output } from "../../jupyter/notebook.ts";
import type { Fault } from "../worker/scope.ts";

function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

const asUrl = (content: string, type: string) => URL.createObjectURL(new Blob([content], { type }));

function figure(svg: string, alt: string): HTMLElement {
  const image = element("img", { alt, src: `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}` });
  const wide = element("div", { className: "wide", tabIndex: 0 }, image);
  return element("figure", {}, wide);
}

/** @param metadata what is said of each representation, such as the text of a picture */
function shown(data: Record<string, unknown>, metadata: Record<string, { alt?: string }>): HTMLElement {
  const text = (mime: string) => typeof data[mime] === "string" ? data[mime] as string : undefined;
  const svg = text("image/svg+xml"), html = text("text/html");
  if (svg !== undefined) return figure(svg, metadata["image/svg+xml"]?.alt ?? text("text/plain") ?? "");
  if (html !== undefined) return element("div", { className: "wide html", innerHTML: html, tabIndex: 0 });
  return element("pre", { textContent: text("text/plain") ?? JSON.stringify(data) });
}

/** Errors are drawn apart: see drawFault. */
function drawn(output: Exclude<Output, ErrorOutput>): HTMLElement {
  if (output.output_type === "stream") {
    return element("pre", { className: output.name, textContent: output.text.replace(/\n$/, "") });
  }
  return shown(output.data, output.metadata);
}

/** What was saved beside the figures, to take away. */
function downloads(files: ReadonlyMap<string, string>): HTMLElement {
  const kinds: Record<string, string> = {
    svg: "image/svg+xml",
    json: "application/json",
    csv: "text/csv",
  };
  const links = [...files].flatMap(([name, content]) => {
    const kind = kinds[name.slice(name.lastIndexOf(".") + 1)] ?? "text/plain";
    return [element("a", { href: asUrl(content, kind), download: name, textContent: name }), " "];
  });
  return element("p", { className: "downloads" }, "Save: ", ...links);
}

export function drawOutputs(
  parent: HTMLElement,
  outputs: readonly Output[],
  files: ReadonlyMap<string, string>,
): void {
  for (const link of parent.querySelectorAll<HTMLAnchorElement>("a[download]")) {
    URL.revokeObjectURL(link.href);
  }
  parent.replaceChildren(
    ...outputs.filter((output) => output.output_type !== "error").map(drawn),
    ...(files.size > 0 ? [downloads(files)] : []),
  );
  parent.hidden = outputs.length === 0;
}

/** Adds an error below the outputs. `hint`: what to do about it. */
export function drawFault(parent: HTMLElement, fault: Fault, where: string, hint = ""): void {
  const head = element("strong", { textContent: fault.name === "Error" ? "Error" : fault.name });
  const text = element(
    "p",
    {},
    head,
    where ? ` ${where}: ` : ": ",
    element("span", { className: "message", textContent: fault.message }),
  );
  const parts = hint ? [text, element("p", { textContent: hint })] : [text];
  const block = element("div", { className: "fault" }, ...parts);
  block.setAttribute("role", "alert");
  parent.append(block);
  parent.hidden = false;
}

export function drawNote(parent: HTMLElement, text: string): void {
  parent.append(element("p", { className: "note", textContent: text }));
  parent.hidden = false;
}
