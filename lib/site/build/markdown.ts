/**
 * A notebook's text → HTML. Links to notebooks lead to their pages; those to other files of the project are
 * named, and lead nowhere.
 */
import { Marked } from "marked";
import { escapeHtml } from "./escape.ts";

/** @param pages names of the notebooks that have a page, without ".ipynb" */
export function markdown(text: string, pages: readonly string[]): string {
  const marked = new Marked({
    gfm: true,
    renderer: {
      link({ href, title, tokens }) {
        const inner = this.parser.parseInline(tokens);
        const [, name, hash = ""] = /^(?:\.\/)?([\w-]+)\.ipynb(#.*)?$/.exec(href) ?? [];
        if (name && pages.includes(name)) return `<a href="${name}.html${escapeHtml(hash)}">${inner}</a>`;
        if (/^(https:|#)/.test(href)) {
          const about = title ? ` title="${escapeHtml(title)}"` : "";
          return `<a href="${escapeHtml(href)}"${about}>${inner}</a>`;
        }
        return `${inner} (<code>${escapeHtml(href.replace(/^(\.\.?\/)+/, ""))}</code>)`;
      },
      heading({ tokens, depth }) {
        const inner = this.parser.parseInline(tokens);
        const id = inner.replace(/<[^>]*>/g, "").toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-").replace(
          /^-|-$/g,
          "",
        );
        return `<h${depth} id="${id}">${inner}</h${depth}>\n`;
      },
      code({ text, lang }) {
        return `<pre class="code" tabindex="0"${lang ? ` data-language="${escapeHtml(lang)}"` : ""}><code>${
          escapeHtml(text)
        }</code></pre>\n`;
      },
      table(token) {
        const cell = (tag: string, { tokens, align }: typeof token.header[number]) =>
          `<${tag}${align ? ` class="${align}"` : ""}>${this.parser.parseInline(tokens)}</${tag}>`;
        const head = token.header.map((each) => cell("th", each)).join("");
        const rows = token.rows.map((row) => `<tr>${row.map((each) => cell("td", each)).join("")}</tr>`);
        return `<div class="wide" tabindex="0"><table><thead><tr>${head}</tr></thead><tbody>${
          rows.join("")
        }</tbody></table></div>\n`;
      },
    },
  });
  return marked.parse(text, { async: false });
}
