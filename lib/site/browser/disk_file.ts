/** In place of platform/disk_file.ts: weights of a page are in memory. */
export class DiskFile {
  readonly stamp = "";

  constructor(readonly path: string) {}

  read(): never {
    throw new Error("A page uses no weights where they lie: load them into memory.");
  }

  mustBeUnchanged(): void {}
}
