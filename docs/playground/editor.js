// The parts of CodeMirror that the page needs. esbuild bundles them into site/playground/editor.js.
import { EditorState, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, keymap, lineNumbers } from "@codemirror/view";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { python } from "@codemirror/lang-python";
import { classHighlighter } from "@lezer/highlight";

const setMarks = StateEffect.define();

const marks = StateField.define({
  create: () => Decoration.none,
  update(value, transaction) {
    // An edit removes the marks, because they belong to the program that was run.
    let next = transaction.docChanged ? Decoration.none : value;
    for (const effect of transaction.effects) if (effect.is(setMarks)) next = effect.value;
    return next;
  },
  provide: (field) => EditorView.decorations.from(field),
});

/** An editor in `parent`. `content` are the attributes of its text; `changed()` is called after each edit. */
export function createEditor(parent, content, changed) {
  const view = new EditorView({
    parent,
    state: EditorState.create({
      extensions: [
        lineNumbers(), history(), bracketMatching(), python(), indentUnit.of("    "), EditorView.lineWrapping,
        syntaxHighlighting(classHighlighter), marks,
        EditorView.contentAttributes.of(content),
        EditorView.updateListener.of((update) => update.docChanged && changed()),
        keymap.of([...defaultKeymap.filter((binding) => binding.key !== "Mod-Enter"), ...historyKeymap, indentWithTab]),
      ],
    }),
  });
  return {
    get text() { return view.state.doc.toString(); },
    set text(text) { view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } }); },
    /** Mark these lines, counted from 1, as those in which something went wrong. */
    mark(lines) {
      const known = [...new Set(lines)].filter((line) => line >= 1 && line <= view.state.doc.lines).sort((a, b) => a - b);
      const decoration = Decoration.line({ class: "failed", attributes: { "aria-invalid": "true" } });
      const ranges = known.map((line) => decoration.range(view.state.doc.line(line).from));
      view.dispatch({ effects: setMarks.of(Decoration.set(ranges)) });
    },
  };
}
