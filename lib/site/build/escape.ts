/**
 * A text for a page, in an element or an attribute in double quotes. What turns the reading direction is
 * written as \u202e.
 */
import { unturned } from "../../checkpoints/quoted.ts";

const NAMES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

export const escapeHtml = (text: string): string =>
  unturned(text.replace(/[&<>"]/g, (character) => NAMES[character]));

/** JSON for a script element: it cannot end that. */
export const scriptJson = (value: unknown): string => JSON.stringify(value).replace(/</g, "\\u003c");
