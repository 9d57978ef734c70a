/**
 * Rows of token ids from a data set of parquet files on the Hub, of which only footers and chosen row groups
 * are read (hyparquet).
 */
import type { AsyncBuffer, FileMetaData } from "hyparquet";
import type { HubClient, HubFile, Repo } from "../hub/client.ts";
import type { OnDownload } from "../hub/download.ts";
import { HubRefusal, HubUnreachable } from "../hub/errors.ts";
import { fetchRange } from "../hub/range.ts";
import { readFooter, readRows, type RowGroup, rowGroup } from "../parquet/row_groups.ts";
import { shown } from "../quoted.ts";
import { type Chooser, chooser } from "./seeded_choice.ts";

/** Read from a file's end at once: most footers are shorter; of a longer one the rest is read too. */
export const footerBytes = 1 << 16;
const column = "tokens";

export interface RowChoice {
  /** Rows to take, in equal shares from `rowGroups` row groups. */
  count: number;
  rowGroups: number;
  /** Token ids in a row; another number is refused. */
  length: number;
  seed: number;
}

/** A row group, and the file that it is in. */
interface ChosenGroup extends RowGroup {
  file: HubFile;
}

export class ParquetRows {
  #footers = new Map<string, Promise<FileMetaData>>();
  #loaded = 0;
  #total = 0;
  #began = performance.now();

  constructor(
    private readonly client: HubClient,
    private readonly repo: Repo,
    private readonly commit: string,
    private readonly onProgress?: OnDownload,
  ) {}

  /** The chosen rows. The same choice from the same commit is the same rows. */
  async choose({ count, rowGroups, length, seed }: RowChoice): Promise<Int32Array[]> {
    const all = await this.client.files(this.repo, this.commit, { recursive: true });
    const parquet = all.filter(({ path }) => path.endsWith(".parquet")).sort((a, b) =>
      a.path < b.path ? -1 : 1
    );
    const train = parquet.filter(({ path }) => /(^|[/_-])train\b/.test(path));
    const files = train.length ? train : parquet;
    if (files.length === 0) throw new Error(`${this.repo.name} has no parquet files.`);
    const choose = chooser(seed);
    const shares = Array.from({ length: rowGroups }, (_, i) => share(count, rowGroups, i));
    const groups = await this.#chooseGroups(files, rowGroups, Math.max(...shares), choose);
    for (const { bytes } of groups) this.#total += bytes;
    const rows: Int32Array[] = [];
    for (const [i, group] of groups.entries()) {
      const tokens = await this.#readGroup(group);
      for (const row of choose(group.rows, shares[i])) {
        rows.push(this.#checkRow(tokens[row], group, row, length));
      }
    }
    return rows;
  }

  /** `count` different row groups of at least `least` rows: a file at random, then one of its row groups. */
  async #chooseGroups(
    files: HubFile[],
    count: number,
    least: number,
    choose: Chooser,
  ): Promise<ChosenGroup[]> {
    const chosen: ChosenGroup[] = [];
    for (let tries = 0; chosen.length < count; tries++) {
      if (tries > 100 * count) {
        throw new Error(`${this.repo.name} has fewer than ${count} row groups of at least ${least} rows.`);
      }
      const [at] = choose(files.length, 1);
      const metadata = await this.#footer(files[at]);
      const [index] = choose(metadata.row_groups.length, 1);
      const group = await this.#rowGroup(files[at], metadata, index);
      const known = chosen.some(({ file, first }) => file === group.file && first === group.first);
      if (group.rows >= least && !known) chosen.push(group);
    }
    return chosen;
  }

  #footer(file: HubFile): Promise<FileMetaData> {
    const known = this.#footers.get(file.path);
    if (known) return known;
    const read = async () => {
      const metadata = await this.#parse(file, () => readFooter(this.#buffer(file, true), footerBytes));
      if (metadata.row_groups.length === 0) throw new Error(`${file.path} of ${this.repo.name} has no rows.`);
      return metadata;
    };
    const footer = read();
    this.#footers.set(file.path, footer);
    return footer;
  }

  async #rowGroup(file: HubFile, metadata: FileMetaData, index: number): Promise<ChosenGroup> {
    return { ...await this.#parse(file, () => rowGroup(metadata, index, column, file.size)), file };
  }

  #readGroup(group: ChosenGroup): Promise<unknown[]> {
    return this.#parse(group.file, () => readRows(this.#buffer(group.file, false), group));
  }

  #checkRow(tokens: unknown, { file, first }: ChosenGroup, row: number, length: number): Int32Array {
    const list = Array.isArray(tokens) || ArrayBuffer.isView(tokens) ? tokens as ArrayLike<unknown> : [];
    const ids = Array.from(list, (id) => typeof id === "bigint" ? Number(id) : id);
    const isId = (id: unknown) => Number.isInteger(id) && id as number >= 0 && id as number < 2 ** 31;
    if (ids.length === length && ids.every(isId)) return Int32Array.from(ids as number[]);
    throw new Error(
      `Row ${first + row} of ${file.path} of ${this.repo.name} should have ${length} token ids, ` +
        `it has ${ids.every(isId) ? ids.length : "something else"}.`,
    );
  }

  /**
   * What the library says of a damaged file, with the file's name. Errors of the transfer pass as they are.
   */
  async #parse<T>(file: HubFile, work: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.client.signal?.throwIfAborted();
      if (error instanceof HubUnreachable || error instanceof HubRefusal) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`${file.path} of ${this.repo.name} cannot be read as parquet: ${shown(why, 300)}`, {
        cause: error,
      });
    }
  }

  /**
   * The file, for hyparquet. Footers add to the total when they are asked for; row groups are in it already.
   */
  #buffer(file: HubFile, isFooter: boolean): AsyncBuffer {
    const onBytes = (count: number) => {
      this.#loaded += count;
      const seconds = Math.max(1e-3, (performance.now() - this.#began) / 1000);
      const bytesPerSecond = this.#loaded / seconds;
      this.onProgress?.({ file: this.repo.name, loaded: this.#loaded, total: this.#total, bytesPerSecond });
    };
    return {
      byteLength: file.size,
      slice: (start, end = file.size) => {
        if (isFooter) this.#total += end - start;
        return fetchRange(this.client, this.repo, this.commit, file, [start, end], onBytes);
      },
    };
  }
}

/** Part `i` of `count` things in `parts` parts that differ by one at most. */
function share(count: number, parts: number, i: number): number {
  return Math.floor(count * (i + 1) / parts) - Math.floor(count * i / parts);
}
