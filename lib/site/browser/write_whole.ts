/**
 * In place of checkpoints/write_whole.ts: what is saved is handed to the page, which offers it for download.
 */

type Listener = (name: string, content: string) => void;
let tell: Listener = () => {};

export function onSaved(listener: Listener): void {
  tell = listener;
}

// deno-lint-ignore require-await
export async function writeWhole(path: string, data: Uint8Array | string): Promise<void> {
  tell(
    path.slice(path.lastIndexOf("/") + 1),
    typeof data === "string" ? data : new TextDecoder().decode(data),
  );
}
