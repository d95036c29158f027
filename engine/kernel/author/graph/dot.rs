//! DOT, for Graphviz.

use super::{Graph, Part};
use crate::kernel::model::definition::StateKind;
use std::fmt::Write;

const FONT: &str = "Noto Sans CJK SC, Microsoft YaHei, WenQuanYi Zen Hei, sans-serif";

pub fn draw(graph: &Graph) -> String {
    let mut out = format!("digraph {} {{\n", quoted(&graph.title));
    let head = [
        format!("graph [label={}, labelloc=t, fontname={font}, rankdir=TB]", quoted(&graph.title), font = quoted(FONT)),
        format!("node [shape=box, style=rounded, fontname={}]", quoted(FONT)),
        format!("edge [fontname={}, fontsize=10]", quoted(FONT)),
    ];
    head.iter().for_each(|text| line(&mut out, 1, text));
    for (index, part) in graph.parts.iter().enumerate() {
        line(&mut out, 1, &format!("subgraph cluster_{index} {{"));
        line(&mut out, 2, &format!("label={}", quoted(&part.title)));
        one(&mut out, index, part);
        line(&mut out, 1, "}");
    }
    out.push_str("}\n");
    out
}

fn one(out: &mut String, index: usize, part: &Part) {
    for (place, state) in part.states.iter().enumerate() {
        let shape = match state.kind {
            StateKind::Start => ", style=\"rounded,bold\"",
            StateKind::Waiting => ", style=\"rounded,dotted\"",
            StateKind::End => ", peripheries=2",
            StateKind::Active => "",
        };
        line(out, 2, &format!("s{index}_{place} [label={}{shape}]", quoted(&state.lines().join("\n"))));
    }
    if part.edges.iter().any(|edge| edge.from.is_none()) {
        line(out, 2, &format!("s{index}_begin [shape=point, width=0.15]"));
    }
    for edge in &part.edges {
        let from = edge.from.map_or_else(|| "begin".to_string(), |from| from.to_string());
        let dashed = if edge.system { ", style=dashed" } else { "" };
        line(out, 2, &format!("s{index}_{from} -> s{index}_{} [label={}{dashed}]", edge.to, quoted(&edge.labels.join("\n"))));
    }
    for (place, clock) in part.clocks.iter().enumerate() {
        // Lines of a note begin at the left.
        let text: String = std::iter::once(&clock.head).chain(&clock.rungs).map(|line| format!("{}\\l", escaped(line))).collect();
        line(out, 2, &format!("n{index}_{place} [shape=note, style=\"\", fontsize=10, label=\"{text}\"]"));
        if let Some(state) = clock.states.first() {
            line(out, 2, &format!("n{index}_{place} -> s{index}_{state} [style=dotted, arrowhead=none, constraint=false]"));
        }
    }
}

fn line(out: &mut String, depth: usize, text: &str) {
    // Writing into a text cannot fail.
    let _ = writeln!(out, "{}{text}", "  ".repeat(depth));
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
