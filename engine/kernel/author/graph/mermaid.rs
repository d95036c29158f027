//! Mermaid: a flowchart, since its state diagrams know no dashed lines. Names of nodes are ours; titles stand in quotes.

use super::{Graph, Part};
use crate::kernel::model::definition::StateKind;
use std::fmt::Write;

pub fn draw(graph: &Graph) -> String {
    let mut out = format!("---\ntitle: {}\n---\nflowchart TD\n", serde_json::Value::from(graph.title.as_str()));
    let several = graph.parts.len() > 1;
    for (index, part) in graph.parts.iter().enumerate() {
        if several {
            line(&mut out, 1, &format!("subgraph p{index}[\"{}\"]", text(&part.title)));
        }
        one(&mut out, index, part);
        if several {
            line(&mut out, 1, "end");
        }
    }
    line(&mut out, 1, "classDef note fill:#fff8dc,stroke:#b8a35a,color:#333,text-align:left");
    out
}

fn one(out: &mut String, index: usize, part: &Part) {
    for (place, state) in part.states.iter().enumerate() {
        let label = text(&state.lines().join("\n"));
        let shape = match state.kind {
            StateKind::Start => format!("([\"{label}\"])"),
            StateKind::Active => format!("[\"{label}\"]"),
            StateKind::Waiting => format!("(\"{label}\")"),
            StateKind::End => format!("[[\"{label}\"]]"),
        };
        line(out, 2, &format!("s{index}_{place}{shape}"));
    }
    if part.edges.iter().any(|edge| edge.from.is_none()) {
        line(out, 2, &format!("s{index}_begin((\" \"))"));
    }
    for edge in &part.edges {
        let from = edge.from.map_or_else(|| format!("s{index}_begin"), |from| format!("s{index}_{from}"));
        let arrow = if edge.system { "-.->" } else { "-->" };
        line(out, 2, &format!("{from} {arrow}|\"{}\"| s{index}_{}", text(&edge.labels.join("\n")), edge.to));
    }
    for (place, clock) in part.clocks.iter().enumerate() {
        let mut lines = vec![clock.head.clone()];
        lines.extend(clock.rungs.iter().cloned());
        line(out, 2, &format!("n{index}_{place}>\"{}\"]:::note", text(&lines.join("\n"))));
        if let Some(state) = clock.states.first() {
            line(out, 2, &format!("n{index}_{place} -.- s{index}_{state}"));
        }
    }
}

fn line(out: &mut String, depth: usize, text: &str) {
    // Writing into a text cannot fail.
    let _ = writeln!(out, "{}{text}", "  ".repeat(depth));
}

/// A text inside quotes: Mermaid writes its own signs as entities, and breaks lines by `<br>`.
fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '&' => out.push_str("#38;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '`' => out.push('\''),
            '\n' => out.push_str("<br>"),
            sign => out.push(sign),
        }
    }
    out
}
