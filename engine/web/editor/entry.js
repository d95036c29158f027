// The editor of a file of the rules: it stands in the place of the form's text field and writes all it holds into it. Without it the page is whole.

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, indentUnit } from "@codemirror/language";
import { forEachDiagnostic, lintGutter, lintKeymap, linter } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import { EditorView, drawSelection, highlightSpecialChars, keymap, lineNumbers } from "@codemirror/view";
import "./licence.js";
import { look } from "./look.js";
import { offer } from "./schema.js";

/** Whoever pauses for so long is told what the check says. */
const PAUSE_MS = 600;
const LEVELS = { fault: "error", warning: "warning", good: "info" };

const nonce = document.currentScript?.nonce ?? "";
const form = document.getElementById("edit");
const field = form?.querySelector("textarea[name=text]");
if (field) start();

function start() {
  const label = form.querySelector(`label[for="${field.id}"]`);
  const { path, check, schema } = form.dataset;
  const said = Object.assign(document.createElement("p"), { className: "hint" });
  said.setAttribute("role", "status");
  const save = () => {
    form.requestSubmit(form.querySelector("button[value=save]"));
    return true;
  };
  const view = new EditorView({
    doc: field.value,
    extensions: [
      EditorView.cspNonce.of(nonce),
      EditorState.phrases.of(JSON.parse(form.dataset.words)),
      EditorView.contentAttributes.of({ "aria-label": label.textContent.trim(), tabindex: "0" }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) field.value = update.state.doc.toString();
      }),
      lineNumbers(),
      lintGutter(),
      highlightSpecialChars(),
      history(),
      drawSelection(),
      indentUnit.of("  "),
      /\.ya?ml$/.test(path) ? [yaml(), bracketMatching(), closeBrackets()] : [],
      highlightSelectionMatches(),
      search({ top: true }),
      autocompletion({ override: [completing(schema)], icons: false }),
      linter(checking(check, said), { delay: PAUSE_MS }),
      // The tab key goes on to what comes next on the page, as everywhere.
      keymap.of([
        { key: "Mod-s", run: save, preventDefault: true },
        ...closeBracketsKeymap,
        ...defaultKeymap,
        ...searchKeymap,
        ...historyKeymap,
        ...completionKeymap,
        ...lintKeymap,
      ]),
      look,
    ],
  });
  field.hidden = true;
  field.after(view.dom, said);
  label.addEventListener("click", () => view.focus());
}

/** Completes from the schema of the file, which is asked for once, when it is first needed. */
function completing(address) {
  let known;
  return async (context) => {
    known ??= fetch(address).then((answer) => (answer.ok ? answer.json() : null), () => null);
    const schema = await known;
    return schema?.schema ? offer(schema, context) : null;
  };
}

/** Asks the check of the server about what stands there now. Whatever was asked before is not waited for. */
function checking(address, said) {
  let asking = new AbortController();
  return async (view) => {
    asking.abort();
    asking = new AbortController();
    const { doc } = view.state;
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch(address, { method: "POST", body, signal: asking.signal });
      if (!answer.ok || !answer.headers.get("content-type")?.startsWith("application/json")) return drawn(view);
      const { rows, count } = await answer.json();
      if (said.textContent !== count) said.textContent = count;
      return rows.filter(({ file }) => file === form.dataset.path).map((row) => diagnostic(view, doc, row));
    } catch {
      // Superseded, or the server is away: what is known stays.
      return drawn(view);
    }
  };
}

function drawn(view) {
  const found = [];
  forEachDiagnostic(view.state, (one, from, to) => found.push({ ...one, from, to }));
  return found;
}

function diagnostic(view, doc, { code, level, line, column, length, says, help, near }) {
  const row = doc.line(Math.min(Math.max(line, 1), doc.lines));
  // The check counts in characters, the editor in UTF-16.
  const signs = [...row.text];
  const width = (count) => signs.slice(0, count).join("").length;
  const from = row.from + width(column - 1);
  const to = Math.max(from, row.from + width(column - 1 + length));
  return { from, to, severity: LEVELS[level], source: code, message: help ? `${says}\n→ ${help}` : says, actions: correction(view, doc.sliceString(from, to), near) };
}

/** The nearest name, where the wrong one stands once in what is marked. */
function correction(view, marked, near) {
  if (!near || marked.split(near.wrong).length !== 2) return [];
  const apply = (view, from, to) => {
    const at = view.state.sliceDoc(from, to).indexOf(near.wrong);
    if (at >= 0) view.dispatch({ changes: { from: from + at, to: from + at + near.wrong.length, insert: near.right }, userEvent: "input.complete" });
  };
  return [{ name: view.state.phrase("Change to $", near.right), apply }];
}
