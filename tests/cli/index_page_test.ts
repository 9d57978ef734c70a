import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parseHTML } from "linkedom";
import {
  describeNotebook,
  escapeHtml,
  headingAndClaim,
  renderIndex,
  svgLabel,
} from "../../lib/cli/index_page.ts";
import type { Notebook } from "../../lib/jupyter/notebook.ts";

function notebook(texts: string[], files: string[] = []): Notebook {
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { cleanup_lens: { files, seconds: 12.3 } },
    cells: texts.map((source, i) => ({ cell_type: "markdown", id: `m${i}`, metadata: {}, source })),
  };
}

Deno.test("headingAndClaim() takes the first heading and the first paragraph, as plain text", () => {
  assertEquals(
    headingAndClaim(
      notebook(["# Figure 1: *the* writer\n\nL0H2 **writes** [here](x.html), `so`.\n\nMore."]),
      "f",
    ),
    { heading: "Figure 1: the writer", claim: "L0H2 writes here, so." },
  );
  assertEquals(headingAndClaim(notebook(["# One\nrest of the paragraph\nin two lines", "Other"]), "f"), {
    heading: "One",
    claim: "rest of the paragraph in two lines",
  });
  assertEquals(headingAndClaim(notebook(["# Only snake_case_names\n", "> quoted", "Then text"]), "f"), {
    heading: "Only snake_case_names",
    claim: "Then text",
  });
  assertEquals(headingAndClaim(notebook([]), "fig9.ipynb"), { heading: "fig9.ipynb", claim: "" });
});

Deno.test("svgLabel() leaves a number that is no character as it stands, escaped on the page", () => {
  const label = svgLabel(`<svg aria-label="a &#99999999999; b &#1114111; &#955;"/>`);
  assertEquals(label, "a &#99999999999; b \u{10ffff} λ");
  const section = {
    file: "f.ipynb",
    heading: "F",
    claim: "",
    seconds: 1,
    figures: [{ name: "f", alt: label, formats: ["svg"] }],
  };
  assertStringIncludes(renderIndex([section]), 'alt="a &amp;#99999999999; b');
});

Deno.test("svgLabel() reads the root's aria-label, then title, then desc; not a nested svg's", () => {
  assertEquals(
    svgLabel(`<?xml version="1.0"?><svg role="img" aria-label="A &amp; B &lt;1&gt;"><g/></svg>`),
    "A & B <1>",
  );
  assertEquals(svgLabel(`<svg><title>T</title><svg aria-label="legend"/></svg>`), "T");
  assertEquals(svgLabel(`<svg><desc>D</desc></svg>`), "D");
  assertEquals(svgLabel(`<svg><g aria-label="x-axis"/></svg>`), "");
});

Deno.test("escapeHtml() escapes what would end a text or an attribute", () => {
  assertEquals(escapeHtml(`<a href="x">&</a>`), "&lt;a href=&quot;x&quot;&gt;&amp;&lt;/a&gt;");
});

Deno.test("describeNotebook() groups the files of a figure and prefers the SVG", async () => {
  const files = ["fig3a.json", "fig3a.png", "fig3a.svg", "fig3b.png", "notes.txt", "table.csv"];
  const section = await describeNotebook("fig3.ipynb", notebook(["# Figure 3"], files), (name) => {
    assertEquals(name, "fig3a.svg");
    return Promise.resolve(`<svg aria-label="Clean and patched"></svg>`);
  });
  assertEquals(section, {
    file: "fig3.ipynb",
    heading: "Figure 3",
    claim: "",
    seconds: 12.3,
    figures: [
      { name: "fig3a", formats: ["svg", "png", "json"], alt: "Clean and patched" },
      { name: "fig3b", formats: ["png"], alt: "Figure 3: fig3b" },
    ],
  });
});

Deno.test("describeNotebook() of a notebook that no run recorded has no figures", async () => {
  const bare = { ...notebook(["# T"]), metadata: {} };
  assertEquals(
    (await describeNotebook("t.ipynb", bare, () => Promise.reject(new Error("none")))).figures,
    [],
  );
});

Deno.test("renderIndex() is a page with a language, one main heading, described pictures and local links only", () => {
  const html = renderIndex([
    { file: "00_start.ipynb", heading: "Start <here>", claim: "", seconds: 1, figures: [] },
    {
      file: "fig1.ipynb",
      heading: "Figure 1",
      claim: `A "claim" & more`,
      seconds: 2,
      figures: [{ name: "fig 1", formats: ["svg", "png", "json"], alt: `L0H2 > "others"` }],
    },
  ]);
  const { document } = parseHTML(html);
  assertEquals(document.documentElement.getAttribute("lang"), "en");
  assertEquals(document.querySelectorAll("h1").length, 1);
  assertEquals([...document.querySelectorAll("h2")].map((h) => h.textContent), ["Start <here>", "Figure 1"]);
  const image = document.querySelector("img")!;
  assertEquals(image.getAttribute("src"), "./fig%201.png");
  assertEquals(image.getAttribute("srcset"), "./fig%201.png 2x"); // drawn at twice its size
  assertEquals(image.getAttribute("alt"), `L0H2 > "others"`);
  assert(document.querySelector("meta[name=viewport]") !== null);
  const links = [...document.querySelectorAll("a")].map((a) => a.getAttribute("href")!);
  assertEquals(links, [
    "#00_start",
    "#fig1",
    "./00_start.ipynb",
    "./fig%201.svg",
    "./fig%201.png",
    "./fig%201.json",
    "./fig1.ipynb",
  ]);
  for (const link of links.filter((href) => href.startsWith("#"))) {
    assert(document.getElementById(link.slice(1)) !== null, link);
  }
  assert(!/https?:\/\/|<script|<link/.test(html), "the page must open from disk, without a network");
  assertStringIncludes(html, "A &quot;claim&quot; &amp; more");
});
