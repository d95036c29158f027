//! SVG: the parts one below the other, each with its deadlines in boxes underneath. Light or dark as the reader's screen is, and black on white in print.

use super::picture::{self, LINE, Picture, SMALL};
use super::{Clock, Graph, Part};
use crate::kernel::model::definition::StateKind;
use crate::kernel::render::escaped;
use crate::kernel::words::width::{width, wrapped};
use std::fmt::Write;

const MARGIN: f64 = 32.0;
const CARD: f64 = 330.0;
const GAP: f64 = 16.0;
/// Drawings narrower than this get their deadlines in as many columns as fit here.
const LEAST: f64 = 1100.0;

const STYLE: &str = include_str!("style.css");

pub fn draw(graph: &Graph) -> String {
    let drawn: Vec<(&Part, Picture)> = graph.parts.iter().map(|part| (part, picture::lay_out(part))).collect();
    let inner = drawn.iter().map(|(_, picture)| picture.width).fold(LEAST, f64::max);
    let mut page = Page { out: String::new(), y: MARGIN };
    page.text("h1", MARGIN, page.y + 22.0, &graph.title);
    page.y += 44.0;
    page.legend(graph);
    for (index, (part, picture)) in drawn.iter().enumerate() {
        if index > 0 {
            page.y += 28.0;
            page.text("h2", MARGIN, page.y + 18.0, &part.title);
            page.y += 40.0;
        }
        page.part(part, picture, MARGIN + (inner - picture.width) / 2.0);
        page.cards(&graph.words.deadlines, &part.clocks, inner);
    }
    let (wide, high) = (inner + 2.0 * MARGIN, page.y + MARGIN);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide:.0}\" height=\"{high:.0}\" viewBox=\"0 0 {wide:.0} {high:.0}\" role=\"img\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n{DEFINITIONS}<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n{body}</svg>\n",
        title = escaped(&graph.title),
        body = page.out,
    )
}

const DEFINITIONS: &str = "<defs>
<marker id=\"tip\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"8\" markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto-start-reverse\"><path class=\"tip\" d=\"M0 1 L10 5 L0 9 z\"/></marker>
<symbol id=\"clock\" viewBox=\"0 0 12 12\"><circle cx=\"6\" cy=\"6\" r=\"5\"/><path d=\"M6 3 V6 L8 7.5\"/></symbol>
</defs>
";

struct Page {
    out: String,
    y: f64,
}

impl Page {
    fn push(&mut self, text: std::fmt::Arguments) {
        // Writing into a text cannot fail.
        let _ = self.out.write_fmt(text);
    }

    fn text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        self.push(format_args!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>\n", escaped(text)));
    }

    fn legend(&mut self, graph: &Graph) {
        let mut x = MARGIN;
        let y = self.y + 8.0;
        let mut entry = |page: &mut Page, sign: &str, text: &str, sign_width: f64| {
            page.push(format_args!("<g transform=\"translate({x:.1} {:.1})\">{sign}</g>\n", y - 4.0));
            page.text("small", x + sign_width + 8.0, y, text);
            x += sign_width + 8.0 + width(text, SMALL) + 28.0;
        };
        let line = |class: &str| format!("<path class=\"{class}\" d=\"M0 0 H34\" marker-end=\"url(#tip)\"/>");
        entry(self, &line("edge"), &graph.words.by_people, 34.0);
        entry(self, &line("edge system"), &graph.words.system, 34.0);
        entry(self, "<use class=\"clock\" href=\"#clock\" x=\"0\" y=\"-6\" width=\"12\" height=\"12\"/>", &graph.words.deadlines, 12.0);
        if graph.parts.iter().flat_map(|part| &part.states).any(|state| state.count.is_some()) {
            entry(self, "<rect class=\"badge\" y=\"-8\" width=\"22\" height=\"16\" rx=\"8\"/>", &graph.words.open_items, 22.0);
        }
        self.y += 40.0;
    }

    fn part(&mut self, part: &Part, picture: &Picture, left: f64) {
        let top = self.y;
        self.push(format_args!("<g transform=\"translate({left:.1} {top:.1})\">\n"));
        self.push(format_args!("<g transform=\"translate({:.1} {:.1})\">\n", picture.offset.0, picture.offset.1));
        for (edge, line) in part.edges.iter().zip(&picture.lines) {
            let Some(line) = line else { continue };
            let class = if edge.system { "edge system" } else { "edge" };
            let tip = if line.backwards { "marker-start" } else { "marker-end" };
            self.push(format_args!("<path class=\"{class}\" d=\"{}\" {tip}=\"url(#tip)\"/>\n", line.path));
        }
        self.push(format_args!("</g>\n"));
        if let Some((x, y)) = picture.dot {
            self.push(format_args!("<circle class=\"begin\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"7\"/>\n"));
        }
        for (state, place) in part.states.iter().zip(&picture.boxes) {
            let Some([x, y, wide, high]) = *place else { continue };
            let kind = match state.kind {
                StateKind::Start => "start",
                StateKind::Active => "active",
                StateKind::Waiting => "waiting",
                StateKind::End => "end",
            };
            self.push(format_args!(
                "<rect class=\"state {kind}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{high:.1}\" rx=\"8\"/>\n"
            ));
            if state.kind == StateKind::End {
                self.push(format_args!(
                    "<rect class=\"inner\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"5\"/>\n",
                    x + 3.5,
                    y + 3.5,
                    wide - 7.0,
                    high - 7.0
                ));
            }
            self.text("name", x + 14.0, y + 24.0, &state.title);
            if let Some(count) = &state.count {
                let badge = width(count, SMALL) + 14.0;
                self.push(format_args!(
                    "<rect class=\"badge\" x=\"{:.1}\" y=\"{:.1}\" width=\"{badge:.1}\" height=\"18\" rx=\"9\"/>\n",
                    x + wide - badge - 10.0,
                    y + 10.0
                ));
                self.text("count", x + wide - 10.0 - badge / 2.0, y + 23.5, count);
            }
            for (line, clock) in state.clocks.iter().enumerate() {
                let base = y + 26.0 + LINE * (line + 1) as f64;
                self.push(format_args!(
                    "<use class=\"clock\" href=\"#clock\" x=\"{:.1}\" y=\"{:.1}\" width=\"12\" height=\"12\"/>\n",
                    x + 14.0,
                    base - 10.0
                ));
                self.text("small", x + 30.0, base, clock);
            }
        }
        for (edge, place) in part.edges.iter().zip(&picture.labels) {
            let Some((x, y)) = *place else { continue };
            let first = y - LINE * (edge.labels.len() as f64 - 1.0) / 2.0 + 4.0;
            for (line, label) in edge.labels.iter().enumerate() {
                self.text(if edge.system { "label system" } else { "label" }, x, first + LINE * line as f64, label);
            }
        }
        self.push(format_args!("</g>\n"));
        self.y += picture.height + 20.0;
    }

    /// The deadlines of a part, each in a box, in columns that are filled evenly.
    fn cards(&mut self, heading: &str, clocks: &[Clock], inner: f64) {
        if clocks.is_empty() {
            return;
        }
        self.text("h3", MARGIN, self.y + 16.0, heading);
        let top = self.y + 30.0;
        let columns = (((inner + GAP) / (CARD + GAP)).floor() as usize).max(1);
        let wide = (inner - GAP * (columns as f64 - 1.0)) / columns as f64;
        let mut heights = vec![0.0; columns];
        for clock in clocks {
            let column = (0..columns).min_by(|a, b| f64::total_cmp(&heights[*a], &heights[*b])).unwrap_or(0);
            let (x, y) = (MARGIN + column as f64 * (wide + GAP), top + heights[column]);
            heights[column] += self.card(clock, x, y, wide) + GAP;
        }
        self.y = top + heights.iter().copied().fold(0.0, f64::max);
    }

    fn card(&mut self, clock: &Clock, x: f64, y: f64, wide: f64) -> f64 {
        let room = wide - 28.0;
        let length = wrapped(&clock.length, SMALL, room);
        let rungs: Vec<String> = clock.rungs.iter().flat_map(|rung| wrapped(rung, SMALL, room)).collect();
        let split = if rungs.is_empty() { 0.0 } else { 8.0 };
        let high = 30.0 + LINE * (length.len() + rungs.len()) as f64 + split + 8.0;
        self.push(format_args!("<rect class=\"card\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{high:.1}\" rx=\"8\"/>\n"));
        self.text("name", x + 14.0, y + 22.0, &clock.title);
        let mut base = y + 26.0;
        for line in &length {
            base += LINE;
            self.text("small strong", x + 14.0, base, line);
        }
        base += split;
        for line in &rungs {
            base += LINE;
            self.text("small", x + 14.0, base, line);
        }
        high
    }
}
