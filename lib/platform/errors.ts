/**
 * What an error of the system means, whichever runtime reports it: Deno, Node and Bun give errors of files a
 * `code`; what Deno's permissions forbid it reports as `NotCapable`, by name.
 */

/** What the system calls the error, such as ENOENT. */
export const codeOf = (error: unknown): unknown => (error as { code?: unknown } | null)?.code;

/** There is no such file or folder. */
export const isMissing = (error: unknown): boolean => codeOf(error) === "ENOENT";

/** There is one already. */
export const isThere = (error: unknown): boolean => codeOf(error) === "EEXIST";

/** The system does not permit it to this user. */
export const isForbidden = (error: unknown): boolean => ["EACCES", "EPERM"].includes(codeOf(error) as string);

/** Deno was started without the permission. */
export const isNotCapable = (error: unknown): error is Error =>
  error instanceof Error && error.name === "NotCapable";
