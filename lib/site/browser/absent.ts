/** In place of packages that read files of other kinds, which a page has none of. */
const absent = (): never => {
  throw new Error("This page reads no files of other kinds: it has its own model and prompts alone.");
};
export {
  absent as compressors,
  absent as createHash,
  absent as gguf,
  absent as parquetMetadata,
  absent as parquetReadObjects,
  absent as parse,
};
