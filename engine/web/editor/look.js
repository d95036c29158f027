// How the editor looks: the colours of the page, light or dark. No picture stands in a style, which the page's policy would refuse.

import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const wavy = (colour) => ({ backgroundImage: "none", textDecoration: `underline wavy ${colour} 1px`, textUnderlineOffset: "3px" });

const theme = EditorView.theme({
  "&": { maxHeight: "42rem", minHeight: "16rem", border: "1px solid var(--line2)", borderRadius: "6px", background: "var(--sheet)", color: "var(--ink)" },
  "&.cm-focused": { outline: "3px solid var(--focus)", outlineOffset: "2px" },
  ".cm-scroller": { font: "inherit", fontSize: ".875rem", lineHeight: "1.5", overflow: "auto" },
  ".cm-content": { fontFamily: "inherit", caretColor: "var(--ink)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { background: "var(--sunken)", color: "var(--ink3)", borderRight: "1px solid var(--line)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "var(--brand-weak)" },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { background: "var(--chip0-bg)" },
  ".cm-searchMatch, .cm-selectionMatch": { background: "var(--warn-bg)" },
  ".cm-searchMatch-selected": { background: "var(--warn-bg)", outline: "2px solid var(--warn-dot)" },
  ".cm-panels, .cm-tooltip": { background: "var(--sheet)", color: "var(--ink)", border: "1px solid var(--line2)" },
  ".cm-panel.cm-search": { padding: "8px 32px 8px 8px", whiteSpace: "normal" },
  ".cm-panel.cm-search label": { fontSize: ".875rem" },
  ".cm-panel.cm-search [name=close]": { color: "var(--ink)", minHeight: "24px", minWidth: "24px" },
  ".cm-textfield, .cm-button": { backgroundImage: "none", backgroundColor: "var(--sheet)", color: "var(--ink)", border: "1px solid var(--line2)", fontSize: ".875rem" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "inherit", maxWidth: "min(90vw, 40rem)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": { background: "var(--brand)", color: "var(--on-brand)" },
  ".cm-completionDetail": { fontStyle: "normal" },
  ".cm-diagnostic": { whiteSpace: "pre-wrap", maxWidth: "40rem", padding: "6px 10px" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--bad-dot)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--warn-dot)" },
  ".cm-diagnosticSource": { fontSize: ".8125rem", opacity: "1", color: "var(--ink3)" },
  ".cm-diagnosticAction": { background: "var(--brand)", color: "var(--on-brand)", fontSize: ".875rem", minHeight: "24px" },
  ".cm-lintRange-error": wavy("var(--bad-dot)"),
  ".cm-lintRange-warning": wavy("var(--warn-dot)"),
  ".cm-lintRange-info, .cm-lintRange-hint": wavy("var(--link)"),
  ".cm-lintRange-active": { background: "var(--warn-bg)" },
  ".cm-lint-marker": { content: "normal", width: ".7em", height: ".7em", margin: ".35em .15em" },
  ".cm-lint-marker-error": { content: "normal", background: "var(--bad-dot)" },
  ".cm-lint-marker-warning": { content: "normal", background: "var(--warn-dot)", transform: "rotate(45deg)" },
  ".cm-lint-marker-info": { content: "normal", background: "var(--link)", borderRadius: "50%" },
  ".cm-lintPoint:after": { borderBottomColor: "var(--bad-dot)" },
  ".cm-panel.cm-panel-lint ul [aria-selected]": { background: "var(--brand-weak)", color: "var(--ink)" },
});

const colours = HighlightStyle.define([
  { tag: [tags.definition(tags.propertyName), tags.propertyName], color: "var(--link)" },
  { tag: [tags.string, tags.attributeValue], color: "var(--ok)" },
  { tag: [tags.comment, tags.lineComment], color: "var(--ink3)" },
  { tag: [tags.keyword, tags.typeName, tags.labelName], color: "var(--late)" },
  { tag: tags.invalid, color: "var(--bad)" },
]);

export const look = [theme, syntaxHighlighting(colours)];
