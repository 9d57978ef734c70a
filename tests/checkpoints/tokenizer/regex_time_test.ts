// Expressions that take time without end are known from those that are in use.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { checkPattern, waysToMatch } from "../../../lib/checkpoints/tokenizer/regex_time.ts";

/** As published in the tokenizer.json of these models. */
const PUBLISHED: Record<string, string[]> = {
  "GPT-2, GPT-NeoX, Pythia, OLMo": [
    String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  ],
  "Llama 3, SmolLM3": [
    String
      .raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  ],
  "Qwen 2 and 3": [
    String
      .raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  ],
  "GPT-4o and gpt-oss (o200k)": [
    String
      .raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  ],
  "GPT-4 (cl100k), Bailing: with possessive repetitions": [
    String
      .raw`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s`,
  ],
  "Mistral's Tekken": [
    String
      .raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  ],
  "DeepSeek LLM and Coder": [
    "[\r\n]",
    String.raw`\s?\p{L}+`,
    String.raw`\s?[!-/:-~！-／：-～‘-‟　-。]+`,
    String.raw`\s+$`,
    "[一-龥ࠀ-一가-퟿]+",
  ],
  "DeepSeek V3": [
    String.raw`\p{N}{1,3}`,
    "[一-龥぀-ゟ゠-ヿ]+",
    String
      .raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_${"`"}{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  ],
  "Kimi K2": [
    String
      .raw`[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|\s+(?!\S)|\s+`,
  ],
  "a repeated choice of classes of which no two hold one character": [
    String.raw`[^\r\n\p{L}\p{N}]?(?:\p{L}|\p{M}|\u200C|\u200D)+|\p{N}{1,3}`,
  ],
  "BLOOM": [" ?[^(\\s|[.,!?…。，、।۔،])]+"],
  "Falcon": [String.raw`[\p{P}\$\+<=>\^~\|` + "`]+", "[0-9][0-9][0-9]"],
  "SuperBPE": [String.raw`(?=(\d{3})+(?!\d))`],
  "Chameleon": ["(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", "([\\t\\n]|    |  )", "<sentinel:[0-9]+>"],
};

for (const [model, expressions] of Object.entries(PUBLISHED)) {
  Deno.test(`checkPattern() takes the expressions of ${model}`, () => {
    for (const Regex of expressions) {
      assertEquals(checkPattern({ Regex }), { Regex });
      assert(waysToMatch(Regex) < 4e7, `${Regex}: ${waysToMatch(Regex)}`);
    }
  });
}

const ENDLESS = [
  ...["(a+)+$", "(a*)*", "((a+))+", "(?:a|a)*b", "(a?){30}", "(x(a+)y?)+?", "(?:\\p{L}{2,})+", "(?:a|b|)*"],
  ...[
    ".?".repeat(40) + ".".repeat(40),
    ".*.*.*.*x",
    "\\w+\\w+\\w+$",
    "(?:a|a)".repeat(40),
    "a{0,9}".repeat(9),
  ],
  ...[
    "(?:.|o|n)*X",
    "(?:[a-z]|[n-z])*X",
    "(?i:(?:a|A)*X)",
    "(?i)(?:a|A)*X",
    "(?:b(?i)|a|A)*X",
    "(?:.{1,9}){1,30}X",
    "(?=(.*))(?:\\1|.)*X",
  ],
  ...["(?:^|a)*b", "(?:a|\\p{Nosuch})*", "(?<n>a+)+", "(?:a{1,}|b)+?", "((?:ab?)+)*c"],
];
for (const Regex of ENDLESS) {
  Deno.test(`checkPattern() refuses ${Regex.slice(0, 40)}`, () => {
    assertThrows(() => checkPattern({ Regex }), Error, "more than 100000000 ways");
  });
}

Deno.test("waysToMatch(): counted by hand", () => {
  const cases: [string, number][] = [
    ["abc", 1],
    ["a|b|c", 3],
    ["a?b?", 4],
    ["a{2,4}", 3],
    ["a{3}", 1],
    ["a{,3}", 4],
    ["a*", 1001], // none to 1,000
    ["a+b+", 1001 ** 2],
    ["(a|bc)d?", 4],
    ["(a|bc){2}", 4],
    ["(a|bc){1,2}", 6],
    ["(?:a|b)*", 1001],
    ["[(+]\\+\\p{L}(?=x)(?<!y)(?i)z", 1],
    ["a{b}{2}", 1],
  ];
  for (const [regex, ways] of cases) assertEquals(waysToMatch(regex), ways, regex);
});

Deno.test("checkPattern() is done at once with twenty thousand characters of choices and groups", () => {
  for (const piece of ["(?:\\p{L}|\\p{N})*", "(", "(a|", "[", "a{1,9}"]) {
    const started = performance.now();
    const Regex = piece.repeat(Math.floor(20_000 / piece.length));
    const open = piece.startsWith("(") && !piece.endsWith("*"); // refused where it is compiled
    if (open) checkPattern({ Regex });
    else assertThrows(() => checkPattern({ Regex }), Error);
    assert(performance.now() - started < 5000, piece);
  }
});
