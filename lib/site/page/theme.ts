/** Light or dark: what the system says, until the button says otherwise. */

const KEY = "cleanup-lens/theme";

export function themeButton(button: HTMLElement): void {
  const root = document.documentElement;
  const dark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const set = (theme: string) => root.dataset.theme = theme;
  try {
    const kept = localStorage.getItem(KEY);
    if (kept === "light" || kept === "dark") set(kept);
  } catch { /* nothing is kept in a private window */ }
  button.addEventListener("click", () => {
    const theme = dark() ? "light" : "dark";
    set(theme);
    try {
      localStorage.setItem(KEY, theme);
    } catch { /* as above */ }
  });
}
