/** The site's first page: what this is, where to begin, and every page. */
import { type PageLink, shell } from "./html.ts";
import { escapeHtml } from "./escape.ts";
import { markdown } from "./markdown.ts";

export interface IndexContent {
  pages: readonly PageLink[];
  /** A table, as Markdown: minutes, page, what is done there. */
  path: string;
  /** Numbers of the model that the pages have. */
  parameters: number;
  /** What the first page fetches. */
  bytes: number;
  style: string;
}

const millions = (n: number, digits: number) => (n / 1e6).toFixed(digits);

export function indexPage({ pages, path, parameters, bytes, style }: IndexContent): string {
  const names = pages.map(({ href }) => href.replace(/\.html$/, ""));
  return shell({
    title: "Memory management in a small language model",
    style,
    pages,
    here: "index.html",
    body: `<section class="text">
<h1>Memory management in a small language model</h1>
<p>In a small language model one attention head, the <em>writer</em>, writes to the residual stream. Later heads use
that. Then some heads, the <em>cleaners</em>, write the opposite and so erase it. Direct logit attribution, a common
tool of analysis, does not see the erasing, and credits the writer for answers to which it gave nothing. Here you
measure this yourself: a real model runs in this browser, with nothing to install, and nothing you type leaves it.</p>
<p>After <a href="https://arxiv.org/abs/2310.07325">An Adversarial Example for Direct Logit Attribution</a> (Janiak,
Rager, Dao and Lau, 2023), on a model of ${
      millions(parameters, 2)
    } million parameters that was trained for this. The
first page fetches about ${millions(bytes, 0)} MB, once.</p>
<h2 id="path">Ninety minutes</h2>
${markdown(path, names)}
<p>The whole guide for a workshop, with half a day, set-up and answers, is <code>notebooks/README.md</code> in the
project.</p>
<h2 id="pages">All pages</h2>
<ul>
${pages.map(({ href, title }) => `<li><a href="${href}">${escapeHtml(title)}</a></li>`).join("\n")}
</ul>
</section>`,
  });
}
