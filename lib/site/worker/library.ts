/**
 * Stands for lib/mod.ts, which the bundle has in this file's place: the site's own configuration (deno.json
 * beside it) does not name the library's packages a second time.
 */
export {};
