/**
 * An editor of TypeScript. Tab leaves it, as in any other field of a form; indenting is done by Enter and by
 * Ctrl + ] and [.
 */
import { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { javascript } from "@codemirror/lang-javascript";
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { EditorState, StateEffect, StateField } from "@codemirror/state";
import {
  Decoration,
  type DecorationSet,
  drawSelection,
  EditorView,
  keymap,
  lineNumbers,
} from "@codemirror/view";
import { tags } from "@lezer/highlight";

/** Colours are the style sheet's, which knows light from dark. */
const HIGHLIGHT = HighlightStyle.define([
  {
    tag: [tags.keyword, tags.controlKeyword, tags.operatorKeyword, tags.definitionKeyword],
    color: "var(--keyword)",
  },
  { tag: [tags.string, tags.special(tags.string), tags.regexp], color: "var(--string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--number)" },
  { tag: [tags.comment], color: "var(--comment)" },
  { tag: [tags.typeName, tags.className], color: "var(--type)" },
]);

const markLine = StateEffect.define<number | undefined>();

const markedLine = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, transaction) {
    if (transaction.docChanged) return Decoration.none;
    for (const effect of transaction.effects) {
      if (!effect.is(markLine)) continue;
      const { doc } = transaction.state, line = effect.value;
      if (line === undefined || line > doc.lines) return Decoration.none;
      return Decoration.set([Decoration.line({ class: "faulty-line" }).range(doc.line(line).from)]);
    }
    return marks;
  },
  provide: (field) => EditorView.decorations.from(field),
});

export interface EditorEvents {
  onChange(source: string): void;
  /** Shift + Enter: run and go on; Ctrl + Enter: run and stay. */
  onRun(goOn: boolean): void;
}

export class Editor {
  readonly #view: EditorView;

  constructor(parent: Element, source: string, label: string, events: EditorEvents) {
    const run = (goOn: boolean) => () => {
      events.onRun(goOn);
      return true;
    };
    const state = EditorState.create({
      doc: source,
      extensions: [
        lineNumbers(),
        history(),
        drawSelection(),
        indentOnInput(),
        bracketMatching(),
        closeBrackets(),
        javascript({ typescript: true }),
        syntaxHighlighting(HIGHLIGHT),
        markedLine,
        EditorView.contentAttributes.of({ "aria-label": label }),
        EditorView.lineWrapping,
        EditorView.updateListener.of(({ docChanged, state }) => {
          if (docChanged) events.onChange(state.doc.toString());
        }),
        keymap.of([
          { key: "Shift-Enter", run: run(true) },
          { key: "Mod-Enter", run: run(false) },
          ...closeBracketsKeymap,
          ...defaultKeymap,
          ...historyKeymap,
        ]),
      ],
    });
    parent.replaceChildren();
    this.#view = new EditorView({ state, parent });
  }

  get source(): string {
    return this.#view.state.doc.toString();
  }

  set source(text: string) {
    this.#view.dispatch({ changes: { from: 0, to: this.#view.state.doc.length, insert: text } });
  }

  focus(): void {
    this.#view.focus();
  }

  /** Marks the line in which an error stands; none: takes the mark away. */
  mark(line?: number): void {
    this.#view.dispatch({ effects: markLine.of(line) });
  }
}
