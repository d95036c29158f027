//! Where everything stands: a part of a graph laid out in ranks from top to bottom, by the crate `layout`.
//!
//! The crate is told the size of each box and label, and tells where it put them and how the lines run between them.

use super::Part;
use crate::kernel::words::width::{widest, width};
use layout::adt::dag::NodeHandle;
use layout::core::base::Orientation;
use layout::core::color::Color;
use layout::core::format::{ClipHandle, RenderBackend};
use layout::core::geometry::Point;
use layout::core::style::{LineStyleKind, StyleAttr};
use layout::std_shapes::shapes::{Arrow, Element, LineEndKind, ShapeKind};
use layout::topo::layout::VisualGraph;

pub const TITLE: f64 = 15.0;
pub const SMALL: f64 = 12.0;
/// The height of a small line.
pub const LINE: f64 = 17.0;
const LABEL: usize = 12;
const DOT: f64 = 14.0;

/// A part with every place in pixels, from the top left corner.
#[derive(Debug, Default)]
pub struct Picture {
    pub width: f64,
    pub height: f64,
    /// Boxes by the number of their state: left, top, width, height.
    pub boxes: Vec<Option<[f64; 4]>>,
    /// The centre of the dot where items begin.
    pub dot: Option<(f64, f64)>,
    /// Lines by the number of their edge.
    pub lines: Vec<Option<Curve>>,
    /// The centre of each edge's label.
    pub labels: Vec<Option<(f64, f64)>>,
    /// By how much the lines have to be moved to stand where the boxes stand.
    pub offset: (f64, f64),
}

/// A line as a path of SVG.
#[derive(Debug)]
pub struct Curve {
    pub path: String,
    /// The crate turns some lines round to have a flow from top to bottom.
    pub backwards: bool,
    /// Places on it, from its beginning to its end.
    way: Vec<(f64, f64)>,
}

/// The size of a state's box.
pub fn size_of(title: &str, clocks: &[String], count: Option<&str>) -> (f64, f64) {
    let title = width(title, TITLE) * 1.04 + count.map_or(0.0, |count| width(count, SMALL) + 26.0);
    // Before each clock stands its sign.
    let clocks_wide = widest(clocks.iter().map(String::as_str), SMALL) + 16.0;
    let wide = if clocks.is_empty() { title } else { title.max(clocks_wide) };
    let high = 22.0 + LINE * clocks.len() as f64 + if clocks.is_empty() { 0.0 } else { 4.0 };
    (wide + 28.0, high + 16.0)
}

pub fn lay_out(part: &Part) -> Picture {
    let across = Orientation::TopToBottom;
    let mut graph = VisualGraph::new(across);
    let look = StyleAttr::new(Color::fast("black"), 1, None, 0, LABEL);
    let add = |graph: &mut VisualGraph, number: usize, (wide, high): (f64, f64)| -> NodeHandle {
        let shape = ShapeKind::new_box("");
        let element = Element::create_with_properties(shape, look.clone(), across, Point::new(wide, high), number.to_string());
        graph.add_node(element)
    };
    let nodes: Vec<NodeHandle> = part
        .states
        .iter()
        .enumerate()
        .map(|(number, state)| add(&mut graph, number, size_of(&state.title, &state.clocks, state.count.as_deref())))
        .collect();
    let dot = part.edges.iter().any(|edge| edge.from.is_none()).then(|| add(&mut graph, nodes.len(), (DOT, DOT)));
    for (number, edge) in part.edges.iter().enumerate() {
        let from = edge.from.map(|from| nodes.get(from).copied()).unwrap_or(dot);
        let (Some(from), Some(to)) = (from, nodes.get(edge.to)) else { continue };
        let style = if edge.system { LineStyleKind::Dashed } else { LineStyleKind::Normal };
        let text = place_holder(number, &edge.labels);
        let mut arrow = Arrow::new(LineEndKind::None, LineEndKind::Arrow, style, &text, &look, &None, &None);
        arrow.properties = Some(number.to_string());
        graph.add_edge(arrow, from, *to);
    }
    let mut canvas = Canvas { picture: Picture::default(), dot: dot.map(|_| nodes.len()), extent: Extent::default() };
    canvas.picture.boxes.resize_with(nodes.len(), || None);
    canvas.picture.lines.resize_with(part.edges.len(), || None);
    canvas.picture.labels.resize_with(part.edges.len(), || None);
    graph.do_it(false, false, false, &mut canvas);
    canvas.clear_labels(part);
    canvas.at_the_corner(part)
}

/// The crate counts the signs of a label; so it gets as many as the label is wide, beginning with the number of its edge.
fn place_holder(number: usize, labels: &[String]) -> String {
    let wide = widest(labels.iter().map(String::as_str), LABEL as f64);
    let signs = (wide / LABEL as f64).ceil().max(1.0) as usize;
    let first = format!("{number:<signs$}");
    let more = labels.len().max(1) * LINE as usize / LABEL;
    std::iter::once(first).chain((0..more).map(|_| ".".to_string())).collect::<Vec<_>>().join("\n")
}

#[derive(Debug)]
struct Extent {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Default for Extent {
    fn default() -> Extent {
        Extent { left: f64::MAX, top: f64::MAX, right: f64::MIN, bottom: f64::MIN }
    }
}

impl Extent {
    fn grow(&mut self, x: f64, y: f64) {
        (self.left, self.right) = (self.left.min(x), self.right.max(x));
        (self.top, self.bottom) = (self.top.min(y), self.bottom.max(y));
    }
}

/// Takes down where the crate draws.
struct Canvas {
    picture: Picture,
    dot: Option<usize>,
    extent: Extent,
}

/// Places on each piece of a line.
const PLACES: usize = 24;

impl Canvas {
    /// A label that lies on a box, where nobody can read either, goes along its line to where it lies on none, nor on another label.
    fn clear_labels(&mut self, part: &Part) {
        let picture = &mut self.picture;
        let size = |number: usize| {
            let labels = &part.edges[number].labels;
            (widest(labels.iter().map(String::as_str), LABEL as f64), LINE * labels.len() as f64)
        };
        let around = |number: usize, (x, y): (f64, f64)| {
            let (wide, high) = size(number);
            [x - wide / 2.0, y - high / 2.0, wide, high]
        };
        for number in 0..part.edges.len() {
            let Some(place) = picture.labels[number] else { continue };
            let on_a_box = |place: (f64, f64)| picture.boxes.iter().flatten().any(|state| overlap(state, &around(number, place)));
            if !on_a_box(place) {
                continue;
            }
            let others = picture.labels.iter().enumerate().filter(|(other, _)| *other != number);
            let others: Vec<[f64; 4]> = others.filter_map(|(other, place)| Some(around(other, (*place)?))).collect();
            let way = picture.lines[number].as_ref().map(|line| line.way.as_slice()).unwrap_or_default();
            let mut free: Vec<(usize, (f64, f64))> = way.iter().copied().enumerate().filter(|(_, place)| !on_a_box(*place)).collect();
            free.sort_by_key(|(at, place)| {
                let on_another = others.iter().any(|other| overlap(other, &around(number, *place)));
                (on_another, at.abs_diff(way.len() / 2))
            });
            let found = free.first().map(|(_, place)| *place);
            picture.labels[number] = found.or(Some(place));
        }
    }

    /// The picture with a margin, its path moved along.
    fn at_the_corner(mut self, part: &Part) -> Picture {
        for (place, edge) in self.picture.labels.iter().zip(&part.edges) {
            if let Some((x, y)) = place {
                let half = widest(edge.labels.iter().map(String::as_str), LABEL as f64) / 2.0;
                let high = LINE * edge.labels.len() as f64 / 2.0;
                self.extent.grow(x - half, y - high);
                self.extent.grow(x + half, y + high);
            }
        }
        if self.extent.left > self.extent.right {
            return self.picture;
        }
        let (left, top) = (self.extent.left, self.extent.top);
        self.picture.boxes.iter_mut().flatten().for_each(|place| {
            place[0] -= left;
            place[1] -= top;
        });
        for (x, y) in self.picture.labels.iter_mut().flatten().chain(&mut self.picture.dot) {
            *x -= left;
            *y -= top;
        }
        self.picture.width = self.extent.right - left;
        self.picture.height = self.extent.bottom - top;
        // Lines are moved as a whole by whoever writes them down.
        self.picture.offset = (-left, -top);
        self.picture
    }
}

impl RenderBackend for Canvas {
    fn draw_rect(&mut self, xy: Point, size: Point, _: &StyleAttr, properties: Option<String>, _: Option<ClipHandle>) {
        let Some(number) = properties.and_then(|number| number.parse::<usize>().ok()) else { return };
        self.extent.grow(xy.x, xy.y);
        self.extent.grow(xy.x + size.x, xy.y + size.y);
        if self.dot == Some(number) {
            self.picture.dot = Some((xy.x + size.x / 2.0, xy.y + size.y / 2.0));
        } else if let Some(place) = self.picture.boxes.get_mut(number) {
            *place = Some([xy.x, xy.y, size.x, size.y]);
        }
    }

    fn draw_text(&mut self, xy: Point, text: &str, _: &StyleAttr) {
        let number = text.lines().next().and_then(|line| line.trim().parse::<usize>().ok());
        if let Some(place) = number.and_then(|number| self.picture.labels.get_mut(number)) {
            *place = Some((xy.x, xy.y));
        }
    }

    fn draw_arrow(
        &mut self,
        path: &[(Point, Point)],
        _: bool,
        (start, _): (bool, bool),
        _: &StyleAttr,
        properties: Option<String>,
        _: &str,
    ) {
        let number = properties.and_then(|number| number.parse::<usize>().ok());
        let (Some(line), [first, second, rest @ ..]) = (number.and_then(|number| self.picture.lines.get_mut(number)), path) else { return };
        for (a, b) in path {
            self.extent.grow(a.x, a.y);
            self.extent.grow(b.x, b.y);
        }
        let point = |point: &Point| format!("{:.1} {:.1}", point.x, point.y);
        let mut text = format!("M{} C{}, {}, {}", point(&first.0), point(&first.1), point(&second.0), point(&second.1));
        rest.iter().for_each(|(control, end)| text.push_str(&format!(" S{}, {}", point(control), point(end))));
        *line = Some(Curve { path: text, backwards: start, way: way(path) });
    }

    fn draw_line(&mut self, _: Point, _: Point, _: &StyleAttr, _: Option<String>) {}

    fn draw_circle(&mut self, _: Point, _: Point, _: &StyleAttr, _: Option<String>) {}

    fn create_clip(&mut self, _: Point, _: Point, _: usize) -> ClipHandle {
        0
    }
}

/// Whether two areas (left, top, width, height) have something in common.
pub fn overlap(one: &[f64; 4], other: &[f64; 4]) -> bool {
    let apart = |a: usize| one[a] + one[a + 2] <= other[a] || other[a] + other[a + 2] <= one[a];
    !apart(0) && !apart(1)
}

/// Places on a line that is given as the crate gives it: begin and control, control and end, and of each further piece the second control
/// and the end; its first one mirrors the control before it.
fn way(path: &[(Point, Point)]) -> Vec<(f64, f64)> {
    let [(from, control), (second, end), rest @ ..] = path else { return Vec::new() };
    let mut pieces = vec![[*from, *control, *second, *end]];
    for (second, to) in rest {
        let [.., before, from] = pieces[pieces.len() - 1];
        let mirrored = Point::new(2.0 * from.x - before.x, 2.0 * from.y - before.y);
        pieces.push([from, mirrored, *second, *to]);
    }
    let at = |piece: &[Point; 4], t: f64| {
        let u = 1.0 - t;
        let mix = |of: fn(&Point) -> f64| {
            let [a, b, c, d] = [of(&piece[0]), of(&piece[1]), of(&piece[2]), of(&piece[3])];
            u * u * u * a + 3.0 * u * u * t * b + 3.0 * u * t * t * c + t * t * t * d
        };
        (mix(|point| point.x), mix(|point| point.y))
    };
    pieces.iter().flat_map(|piece| (0..=PLACES).map(move |step| at(piece, step as f64 / PLACES as f64))).collect()
}
