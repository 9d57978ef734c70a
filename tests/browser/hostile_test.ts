// Texts of others (names of models, files and notebooks, headings, cells, tokens) act in no page: looked at
// as a document, and in Chromium.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parseHTML } from "linkedom";
import { withFolder } from "../checkpoints/small_model.ts";
import { openPages } from "./chromium.ts";
import { acting, DONE, pages, TEXTS } from "./hostile.ts";

const kinds = await pages();

for (const [kind, make] of Object.entries(kinds)) {
  Deno.test(`${kind}: no text of others is anything but text`, async () => {
    for (const text of TEXTS) assertEquals(acting(await make(text)), [], text);
    // And it can be read there.
    const { document } = parseHTML(await make("<b>bold</b>"));
    assertStringIncludes(document.documentElement.textContent!, "<b>bold</b>");
  });
}

Deno.test("acting() sees what would act", () => {
  for (const text of TEXTS.slice(0, 10)) {
    assert(
      acting(`<!doctype html><html><body><p title="${text}">${text}</p></body></html>`).length > 0,
      text,
    );
  }
  assertEquals(acting(`<a href="javascript:x">a</a>`), [`<a href="javascript:x">`]);
  assertEquals(acting(`<img src="//elsewhere/x.png">`), [`<img src="//elsewhere/x.png">`]);
});

Deno.test("Chromium: no text of others acts in a page", async (t) => {
  await withFolder(async (folder) => {
    const paths: string[] = [], what: string[] = [];
    const put = async (name: string, page: string) => {
      const path = `${folder}/${paths.length}.html`;
      await Deno.writeTextFile(path, page);
      paths.push(path);
      what.push(name);
    };
    // The control: a page that acts. Then each kind of page with all texts at once.
    await put("control", `<!doctype html><p title="${TEXTS[1]}">${TEXTS[1]}</p>`);
    for (const [kind, make] of Object.entries(kinds)) {
      const all = await Promise.all(TEXTS.map(make));
      const bodies = all.map((page) => page.replace(/^[^]*<body>|<\/body>[^]*$/g, ""));
      const head = /<head>([^]*)<\/head>/.exec(all[5])![1];
      await put(kind, `<!doctype html><html><head>${head}</head><body>${bodies.join("\n")}</body></html>`);
    }
    const opened = await openPages(paths);
    if (opened === undefined) {
      console.log(
        "There is no Chromium (Debian: apt-get install chromium), so no page was opened in a browser.",
      );
      return;
    }
    const done = opened.map((page) => page.includes(`${DONE}="1"`));
    for (const [i, name] of what.entries()) {
      await t.step(name, () => {
        assert(opened[i].length > 50, `it was not opened: ${opened[i]}`);
        assertEquals(done[i], name === "control");
      });
    }
  });
});
