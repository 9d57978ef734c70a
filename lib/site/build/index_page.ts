/** The site's first page: what this is, where to begin, and every page. */
import { type PageLink, shell } from "./html.ts";
import { escapeHtml } from "./escape.ts";

/** The path through ninety minutes: page, minutes, and what is done there. */
const PATH: readonly [href: string, minutes: number, what: string][] = [
  ["00_start_here.html", 15, "A model, a forward pass, a look inside, an intervention. Exercise 1."],
  [
    "fig1_residual_stream.html",
    20,
    "Predict, then run: how much of the writer's output is in the stream, and when is it gone?",
  ],
  [
    "fig3_patched.html",
    20,
    "Do later heads erase it because they read it? Beside the control: the same output, rotated.",
  ],
  ["fig4_adversarial.html", 20, "Prompts on which direct logit attribution misleads."],
  ["check_attribution.html", 15, "Your own prompt: what DLA credits, and what of it is taken back."],
];

export function indexPage(pages: readonly PageLink[], style: string): string {
  const known = PATH.filter(([href]) => pages.some((page) => page.href === href));
  const step = ([href, minutes, what]: typeof PATH[number]) => {
    const { title } = pages.find((page) => page.href === href)!;
    return `<li><a href="${href}">${escapeHtml(title)}</a> <span class="quiet">${minutes} minutes</span><br>${
      escapeHtml(what)
    }</li>`;
  };
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
Rager, Dao and Lau, 2023), on a model of 0.94 million parameters that was trained for this. The first page fetches
about 19 MB, once.</p>
<h2 id="path">Ninety minutes</h2>
<ol class="path">
${known.map(step).join("\n")}
</ol>
<h2 id="pages">All pages</h2>
<ul>
${pages.map(({ href, title }) => `<li><a href="${href}">${escapeHtml(title)}</a></li>`).join("\n")}
</ul>
</section>`,
  });
}
