/**
 * Where the cells of a page compute: on the processor or, by choice and where the browser has WebGPU, on a
 * graphics card. The choice is kept in this browser.
 */

const KEY = "cleanup-lens/device";

function kept(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // nothing is kept in a private window
  }
}

/**
 * Shows the choice where there is one. Returns the address of the worker's script, to which the choice is
 * added: browser/usual_device.ts reads it there.
 * @param script address of the worker's script @param onChange called with its new address
 */
export function deviceChoice(script: string, onChange: (script: string) => void): string {
  const label = document.getElementById("device-choice")!;
  const select = label.querySelector("select")!;
  const address = () => select.value === "cpu" ? script : `${script}?device=${select.value}`;
  if (!("gpu" in navigator)) return script;
  label.hidden = false;
  const chosen = select.value = kept() === "webgpu" ? "webgpu" : "cpu";
  // A browser that comes back to the page may put an older choice into it after this.
  addEventListener("pageshow", ({ persisted }) => persisted || (select.value = chosen));
  select.addEventListener("change", () => {
    try {
      localStorage.setItem(KEY, select.value);
    } catch { /* as above */ }
    onChange(address());
  });
  return address();
}
