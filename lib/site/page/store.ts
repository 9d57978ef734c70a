/**
 * Edits of a page, kept in this browser. Where it keeps nothing (a private window, a full disk), the page
 * says so once.
 */

export class Edits {
  /** False when an edit could not be kept. */
  kept = true;

  constructor(readonly page: string) {}

  #key(cell: string): string {
    return `cleanup-lens/${this.page}/${cell}`;
  }

  /** The edited text of a cell; undefined where it is as it was. */
  get(cell: string): string | undefined {
    try {
      return localStorage.getItem(this.#key(cell)) ?? undefined;
    } catch {
      this.kept = false;
      return undefined;
    }
  }

  /** @param source undefined: forget the edit */
  set(cell: string, source: string | undefined): void {
    try {
      if (source === undefined) localStorage.removeItem(this.#key(cell));
      else localStorage.setItem(this.#key(cell), source);
      this.kept = true;
    } catch {
      this.kept = false;
    }
  }
}
