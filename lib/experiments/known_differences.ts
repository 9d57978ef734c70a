/**
 * Where the post's text, its pictures and the authors' code differ, and what this project does: said beside
 * every comparison.
 */

export interface KnownDifference {
  /** Names of the expected figures that it bears on. */
  figures: readonly string[];
  say: string;
}

export const knownDifferences: readonly KnownDifference[] = [
  {
    figures: ["fig2", "fig3a", "fig3b"],
    say:
      "Bands: the post's text says 25 to 75 %, its pictures show 12.5 to 87.5 %. Published bands of this figure are compared " +
      "with 12.5 to 87.5 % (wideLow, wideHigh).",
  },
  {
    figures: ["fig3a", "fig3b"],
    say:
      "The patched run freezes ln1.hook_scale to the clean run's. The authors' code does so, the text does not say it.",
  },
  {
    figures: ["fig5", "fig5, repository form"],
    say:
      "The text: 30 prompts, difference of the top two logits, attention-weighted V-composition (fig5; only r of the total is " +
      "published). The picture in the authors' repository: 10 prompts, positions 32 to 1022, the logit of the next token, no " +
      "attention weights (fig5, repository form).",
  },
  {
    figures: ["fig1", "fig2", "fig3a", "fig3b", "appendix"],
    say:
      "All positions are pooled, as in the post. Position 1023 never received a training signal and position 0 is always BOS.",
  },
  {
    figures: ["fig1", "fig2", "fig3a", "fig3b", "fig4", "fig5", "fig7", "appendix", "residual norm"],
    say:
      "Which 300 prompts the post drew is not recorded: 240 rows of C4 and 60 of code are drawn again, from the same data sets.",
  },
];
