/**
 * What papers say of what a census measures, for the models that they say it of:
 * data/expected/published.json.
 */
import { dataFile } from "../../checkpoints/mod.ts";
import { readJsonObject } from "../../checkpoints/json_file.ts";

/** One thing that a paper says. */
export interface PublishedRow {
  /** Beginnings of the names of the models that it is of, in lower case. */
  names: string[];
  /** Which part of a census or which experiment it can be held against. */
  measure: string;
  /** In short. */
  said: string;
  /** Where the text gives one number. */
  value?: number;
  /** Paper and place. */
  source: string;
}

/** The rows on a model, by the last part of its name or path. */
export async function publishedOf(model: string): Promise<PublishedRow[]> {
  const name = model.replace(/[/\\]+$/, "").replace(/^.*[/\\]/, "").toLowerCase();
  const { rows } = await readJsonObject(await dataFile("expected/published.json"));
  return (rows as PublishedRow[]).filter(({ names }) =>
    names.some((beginning) => name.startsWith(beginning))
  );
}
