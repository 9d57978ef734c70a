/**
 * Texts that would act if they stood in a page as they are, and the pages of this project that show texts of
 * others.
 */
import { parseHTML } from "linkedom";
import { describeNotebook, renderIndex } from "../../lib/cli/index_page.ts";
import { renderReport } from "../../lib/cli/scan_report.ts";
import { scan } from "../../lib/experiments/scan/scan.ts";
import { fig4 } from "../../lib/figures/fig4.ts";
import { toSvg } from "../../lib/figures/svg.ts";
import { tableBundle } from "../../lib/figures/table.ts";
import { promptRows } from "../figures/made_up_rows.ts";
import { randomPrompts, small } from "../transformer/models.ts";

/** What a text does if it acts. */
export const DONE = "data-hostile";
const ACT = `document.documentElement.setAttribute('${DONE}',1)`;

export const TEXTS: readonly string[] = [
  `<script>${ACT}</script>`,
  `<img src=x onerror="${ACT}">`,
  `"><svg onload="${ACT}">`,
  `" onfocus="${ACT}" autofocus="`,
  `'><iframe srcdoc="<script>parent.${ACT}</script>"></iframe>`,
  `</title></style></textarea><script>${ACT}</script>`,
  `</text></svg><script>${ACT}</script>`,
  `<foreignObject><body onload="${ACT}"/></foreignObject>`,
  `]]><script>${ACT}</script><![CDATA[`,
  `--><script>${ACT}</script><!--`,
  `&lt;script&gt;${ACT}&lt;/script&gt;&#60;script&#62;`,
  `javascript:${ACT}`,
  `\u202e<script>${ACT}</script>`,
];

/** As a file may be called: it holds no slash. */
const asName = (text: string) => text.replaceAll("/", "∕");

const inPage = (body: string) =>
  `<!doctype html><html><head><meta charset="utf-8"></head><body>${body}</body></html>`;

async function index(text: string): Promise<string> {
  const name = asName(text);
  const files = [`${name}.svg`, `${name}.json`, `${name}.csv`, "../../outside.svg", `javascript:${ACT}.svg`];
  const cells = [{ cell_type: "markdown" as const, id: "m", metadata: {}, source: `# ${text}\n\n${text}` }];
  const notebook = {
    nbformat: 4 as const,
    nbformat_minor: 5,
    metadata: { cleanup_lens: { files, seconds: text } },
    cells,
  };
  const label = text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
  const read = () => Promise.resolve(`<svg xmlns="http://www.w3.org/2000/svg" aria-label="${label}"></svg>`);
  // deno-lint-ignore no-explicit-any
  return renderIndex([await describeNotebook(`${name}.ipynb`, notebook as any, read)]);
}

async function report(): Promise<(text: string) => string> {
  const { model } = small(7, { n_ctx: 16 });
  const result = await scan(model, randomPrompts(model, 8, 16, 9));
  return (text) =>
    renderReport({
      ...result,
      model: { ...result.model, name: text },
      assumptions: { ...result.assumptions, model: text, prompts: text, [text]: text },
    });
}

function figure(text: string): string {
  const rows = promptRows("a", 5).map((row) => ({
    ...row,
    prompt: text,
    correct: text,
    incorrect: `${text} `,
  }));
  return toSvg(fig4(rows));
}

/** Kind of page → the page for a text. */
export async function pages(): Promise<Record<string, (text: string) => string | Promise<string>>> {
  return {
    "index.html": index,
    "report.html": await report(),
    "a table": (text) => {
      const bundle = tableBundle([{ [text]: text, n: 1 }, { [text]: `${text}\n`, n: 2 }]);
      return inPage(bundle["text/html"]);
    },
    "a figure in a page": (text) => inPage(figure(text)),
  };
}

/** What in a page would act, or load something from elsewhere, in words. */
export function acting(page: string): string[] {
  const { document } = parseHTML(page);
  const wrong: string[] = [];
  for (const element of document.querySelectorAll("*")) {
    const name = element.localName;
    if (
      ["script", "iframe", "object", "embed", "base", "foreignobject", "form"].includes(name.toLowerCase())
    ) {
      wrong.push(`<${name}>`);
    }
    for (const { name: attribute, value } of element.attributes) {
      if (/^on/i.test(attribute)) wrong.push(`<${name} ${attribute}>`);
      if (
        /^(href|src|srcset|xlink:href|action)$/i.test(attribute) && !/^(\.\/|#|data:image\/png)/.test(value)
      ) {
        wrong.push(`<${name} ${attribute}="${value}">`);
      }
    }
  }
  if (/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/.test(page)) {
    wrong.push("a character that turns the reading direction");
  }
  return wrong;
}
