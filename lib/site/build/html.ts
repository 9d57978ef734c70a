/** The frame that all pages share: head, links to the other pages, and what is said where no script runs. */
import { escapeHtml } from "./escape.ts";

export interface PageLink {
  /** Relative, such as "fig1_residual_stream.html". */
  href: string;
  title: string;
}

export interface Shell {
  title: string;
  /** Names of the page's scripts and of its style sheet, in assets/. */
  script?: string;
  preload?: readonly string[];
  style: string;
  pages: readonly PageLink[];
  here: string;
  /** HTML between the heading and the main part, such as buttons. */
  toolbar?: string;
  body: string;
}

/** Where cells compute; page/device.ts shows it where there is a choice. */
export const DEVICE_CHOICE =
  `<label id="device-choice" hidden title="The graphics card's runtime is 27 MB, fetched once. For small models the processor is often faster.">Runs on <select aria-label="Runs on" autocomplete="off">
<option value="cpu">the processor</option><option value="webgpu">the graphics card</option></select></label>`;

/**
 * Nothing but what lies beside the page is loaded, and no text in it acts. Cells are evaluated, and the
 * runtime is WebAssembly.
 */
const POLICY = [
  "default-src 'self'",
  "script-src 'self' 'unsafe-eval' 'wasm-unsafe-eval'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "worker-src 'self' blob:",
  "connect-src 'self' blob:",
].join("; ");

export function shell(
  { title, script, preload = [], style, pages, here, toolbar = "", body }: Shell,
): string {
  const option = ({ href, title }: PageLink) =>
    `<li><a href="${href}"${href === here ? ' aria-current="page"' : ""}>${escapeHtml(title)}</a></li>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<title>${escapeHtml(title)} · Cleanup Lens</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="assets/${style}">
${preload.map((name) => `<link rel="modulepreload" href="assets/${name}">`).join("\n")}
${script ? `<script type="module" src="assets/${script}"></script>` : ""}
</head>
<body>
<a class="skip" href="#main">To the text</a>
<header>
<div class="bar">
<a class="home" href="index.html">Cleanup Lens</a>
<details class="pages"><summary>Pages</summary><nav aria-label="Pages"><ul>
${pages.map(option).join("\n")}
</ul></nav></details>
${toolbar}
</div>
</header>
<main id="main">
${
    script
      ? `<p id="not-started" class="note">Nothing runs yet. This page needs JavaScript, and has to come from a web server: in the project's folder, <code>deno task site --serve</code>. The text can be read without.</p>`
      : ""
  }
${body}
</main>
</body>
</html>
`;
}
