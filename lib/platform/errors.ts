/**
 * What an error of the system means, whichever runtime reports it: Deno, Node and Bun give errors of files a
 * `code`; what Deno's permissions forbid it reports as `NotCapable`, by name.
 */

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null)?.code;

/** There is no such file or folder. */
export const isMissing = (error: unknown): boolean => codeOf(error) === "ENOENT";

/** There is one already. */
export const isThere = (error: unknown): boolean => codeOf(error) === "EEXIST";

/** The system does not permit it to this user. */
export const isForbidden = (error: unknown): boolean => ["EACCES", "EPERM"].includes(codeOf(error) as string);

/** Deno was started without the permission. */
export const isNotCapable = (error: unknown): error is Error =>
  error instanceof Error && error.name === "NotCapable";

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "the system does not permit it to this user.",
  EPERM: "the system does not permit it to this user.",
  EROFS: "that disk can be read only.",
  ENOSPC: "the disk is full.",
  EDQUOT: "this user's share of the disk is used up.",
  EFBIG: "the file would be larger than the system allows.",
  EEXIST: "there is a file of that name.",
  EISDIR: "it is a folder, and a file was expected.",
  ENOTDIR: "a part of its path is a file, where a folder was expected.",
  ELOOP: "it is a link that leads back to itself.",
  ENAMETOOLONG: "its name is longer than the system allows.",
  EMFILE: "this process has too many files open.",
  ENFILE: "the system has too many files open.",
  EIO: "the disk reports an error; is it damaged, or was it removed?",
  ESTALE: "it was replaced on its server meanwhile. Try again.",
};

/** An error of the system as a sentence that a reader can act on. */
export function inWords(error: unknown): string {
  if (isNotCapable(error)) {
    // What may change the system, such as /proc, Deno opens to nobody who may not do everything.
    return error.message.includes("all access")
      ? "Deno opens what belongs to the system itself (/proc, /sys, devices) to no task."
      : `Deno was started without the permission to do so (${error.message}).`;
  }
  const message = error instanceof Error ? error.message : String(error);
  return REASONS[String(codeOf(error))] ?? message.replace(/[^.?!]$/, "$&.");
}
