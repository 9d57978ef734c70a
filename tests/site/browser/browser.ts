/** One Chromium without a window, one server of the built site, and what went wrong in any page. */
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { serve } from "../../../lib/site/serve.ts";

/** The site lies in a sub-folder, as on GitHub Pages. */
const SUB_PATH = "/some/where/";

const LONGEST_MS = 120_000;

const CARD = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"];

/** What Playwright says where it was told to take none. */
const NO_SERVICE_WORKER = "Service Worker registration blocked by Playwright";

/** A window, with what it has kept. */
export class Window implements AsyncDisposable {
  constructor(readonly context: BrowserContext, readonly address: string, readonly wrong: string[]) {}

  /** @param quiet whether errors in the console do not count, since they are made on purpose */
  async page(name: string, { quiet = false, hash = "" } = {}): Promise<Page> {
    const page = await this.context.newPage();
    page.on("console", (message) => {
      if (message.text() === NO_SERVICE_WORKER) return; // ordered below
      if (!quiet && ["error", "warning"].includes(message.type())) {
        this.wrong.push(`${name}: console: ${message.text()}`);
      }
    });
    page.on("pageerror", ({ message }) => this.wrong.push(`${name}: ${message}`));
    page.on("request", (request) => {
      if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(this.address)) {
        this.wrong.push(`${name}: a request to ${request.url()}`);
      }
    });
    await page.goto(`${this.address}${name}.html${hash}`);
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
  }
}

export class Site implements AsyncDisposable {
  /** Errors in consoles, exceptions, and requests to other hosts. */
  readonly wrong: string[] = [];

  private constructor(
    readonly browser: Browser,
    readonly address: string,
    readonly server: Deno.HttpServer,
    readonly card: boolean,
  ) {}

  /**
   * @param folder of the built site
   * @param program of Chromium
   * @param card whether pages find a graphics card: SwiftShader, a driver that computes on the processor
   */
  static async open(folder: string, program: string, card = false): Promise<Site> {
    const server = serve(folder, 0, { isolated: false, under: SUB_PATH, quiet: true });
    const browser = await chromium.launch({
      executablePath: program,
      args: ["--no-sandbox", "--disable-dev-shm-usage", ...(card ? CARD : ["--disable-gpu"])],
    });
    return new Site(browser, `http://127.0.0.1:${server.addr.port}${SUB_PATH}`, server, card);
  }

  /**
   * A window that has kept nothing yet.
   * @param threads whether pages may use several: they then take a service worker
   */
  async window({ threads = false } = {}): Promise<Window> {
    const context = await this.browser.newContext({
      acceptDownloads: true,
      serviceWorkers: threads ? "allow" : "block",
    });
    context.setDefaultTimeout(LONGEST_MS); // a busy machine may take long for anything
    return new Window(context, this.address, this.wrong);
  }

  /** CPU seconds of all of Chromium's processes that there are now. */
  async cpuSeconds(): Promise<number> {
    const session = await this.browser.newBrowserCDPSession();
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    await session.detach();
    return processInfo.reduce((sum, { cpuTime }) => sum + cpuTime, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close();
    await this.server.shutdown();
  }
}

/** Waits until the page says that all its cells ran, or that one failed. */
export async function runAll(page: Page, timeoutMs: number): Promise<void> {
  await page.click("#run-all");
  await settled(page, timeoutMs);
}

/** Waits until nothing runs. */
export async function settled(page: Page, timeoutMs: number): Promise<void> {
  await page.waitForFunction(() => (document.getElementById("stop") as HTMLButtonElement).disabled, null, {
    timeout: timeoutMs,
    polling: 250,
  });
}

/** What stands below a cell. */
export const outputOf = (page: Page, cell: string) => page.locator(`#cell-${cell} .outputs`);

/** Puts a text into a cell's editor, as somebody who types. */
export async function type(page: Page, cell: string, text: string): Promise<void> {
  await page.locator(`#cell-${cell} .cm-content`).click();
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(text);
}

export async function runCell(page: Page, cell: string, timeoutMs = 120_000): Promise<void> {
  await page.locator(`#cell-${cell} .run`).click();
  await settled(page, timeoutMs);
}
