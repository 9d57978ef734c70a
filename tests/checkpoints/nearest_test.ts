import { assertEquals } from "@std/assert";
import { duplicateKeys } from "../../lib/checkpoints/json_keys.ts";
import { didYouMean, editDistance } from "../../lib/checkpoints/nearest.ts";

Deno.test("editDistance() counts insertions, deletions, replacements and swaps", () => {
  assertEquals(editDistance("kitten", "sitting"), 3);
  assertEquals(editDistance("ab", "ba"), 1);
  assertEquals(editDistance("", "abc"), 3);
  assertEquals(editDistance("same", "same"), 0);
});

Deno.test("didYouMean() suggests a near name and nothing otherwise", () => {
  const names = ["gelu-4l", "tiny-gelu-4l"];
  assertEquals(didYouMean("gelu4l", names), ' Did you mean "gelu-4l"?');
  assertEquals(didYouMean("TINY-GELU-4L", names), ' Did you mean "tiny-gelu-4l"?');
  assertEquals(didYouMean("llama", names), "");
});

Deno.test("duplicateKeys() finds repeated keys in any object and no others", () => {
  assertEquals(duplicateKeys('{"a":1,"b":{"a":2},"c":["a","a"],"d":"a"}'), []);
  assertEquals(duplicateKeys('{"a":1,"b":{"c":2,"c":3}}'), ['"c"']);
  assertEquals(duplicateKeys('{"a\\"b":1,"x":[{"y":1},{"y":2}],"a\\"b":2}'), ['"a\\"b"']);
  assertEquals(duplicateKeys('{"a":"}{\\\\","a":[]}'), ['"a"']);
});
