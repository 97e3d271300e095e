//! Normalised geometry: x to the right, y down, both 0..=1 of the picture. The one place that knows `iou`.

use serde::{Deserialize, Serialize};

use super::refusal::Refusal;

/// A point of the picture, 0..=1 in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f32; 2]", into = "[f32; 2]")]
pub struct Point {
    /// From the left edge.
    pub x: f32,
    /// From the top edge.
    pub y: f32,
}

impl From<[f32; 2]> for Point {
    fn from([x, y]: [f32; 2]) -> Self {
        Self { x, y }
    }
}

impl From<Point> for [f32; 2] {
    fn from(p: Point) -> Self {
        [p.x, p.y]
    }
}

/// An upright box inside the picture: `0 <= x0 < x1 <= 1`, the same for y.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "[f32; 4]", into = "[f32; 4]")]
pub struct NormBox {
    x0: f32,
    y0: f32,
    x1: f32,
    y1: f32,
}

impl NormBox {
    /// The part of the given corners that lies inside the picture; `None` when nothing does or a number is not finite.
    #[must_use]
    pub fn new(x0: f32, y0: f32, x1: f32, y1: f32) -> Option<Self> {
        if ![x0, y0, x1, y1].iter().all(|v| v.is_finite()) {
            return None;
        }
        let b = Self { x0: x0.clamp(0.0, 1.0), y0: y0.clamp(0.0, 1.0), x1: x1.clamp(0.0, 1.0), y1: y1.clamp(0.0, 1.0) };
        (b.x0 < b.x1 && b.y0 < b.y1).then_some(b)
    }
    /// Left, top, right, bottom.
    #[must_use]
    pub const fn corners(self) -> [f32; 4] {
        [self.x0, self.y0, self.x1, self.y1]
    }
    /// Width, 0..=1.
    #[must_use]
    pub fn width(self) -> f32 {
        self.x1 - self.x0
    }
    /// Height, 0..=1.
    #[must_use]
    pub fn height(self) -> f32 {
        self.y1 - self.y0
    }
    /// Area, 0..=1.
    #[must_use]
    pub fn area(self) -> f32 {
        self.width() * self.height()
    }
    /// Middle of the box.
    #[must_use]
    pub fn centre(self) -> Point {
        Point { x: (self.x0 + self.x1) / 2.0, y: (self.y0 + self.y1) / 2.0 }
    }
    /// Where it stands on the ground: the middle of the lower edge.
    #[must_use]
    pub fn foot(self) -> Point {
        Point { x: (self.x0 + self.x1) / 2.0, y: self.y1 }
    }
    /// Intersection over union, 0..=1.
    #[must_use]
    pub fn iou(self, other: Self) -> f32 {
        let w = (self.x1.min(other.x1) - self.x0.max(other.x0)).max(0.0);
        let h = (self.y1.min(other.y1) - self.y0.max(other.y0)).max(0.0);
        let shared = w * h;
        let all = self.area() + other.area() - shared;
        if all > 0.0 { shared / all } else { 0.0 }
    }
    /// Whether the two share an area.
    #[must_use]
    pub fn meets(self, other: Self) -> bool {
        self.x0 < other.x1 && other.x0 < self.x1 && self.y0 < other.y1 && other.y0 < self.y1
    }
    /// The smallest box around both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            x0: self.x0.min(other.x0),
            y0: self.y0.min(other.y0),
            x1: self.x1.max(other.x1),
            y1: self.y1.max(other.y1),
        }
    }
    /// Whether `p` lies inside or on an edge.
    #[must_use]
    pub fn contains(self, p: Point) -> bool {
        (self.x0..=self.x1).contains(&p.x) && (self.y0..=self.y1).contains(&p.y)
    }
    /// The box grown by `ratio` of its own size on every side, cut at the picture's edge.
    #[must_use]
    pub fn grown(self, ratio: f32) -> Self {
        let (dx, dy) = (self.width() * ratio, self.height() * ratio);
        Self::new(self.x0 - dx, self.y0 - dy, self.x1 + dx, self.y1 + dy).unwrap_or(self)
    }
}

impl TryFrom<[f32; 4]> for NormBox {
    type Error = String;
    fn try_from([x0, y0, x1, y1]: [f32; 4]) -> Result<Self, String> {
        Self::new(x0, y0, x1, y1).ok_or_else(|| format!("[{x0}, {y0}, {x1}, {y1}] is no box inside the picture"))
    }
}

impl From<NormBox> for [f32; 4] {
    fn from(b: NormBox) -> Self {
        b.corners()
    }
}

/// The most corners a polygon may have.
pub const POLYGON_CORNERS_MAX: usize = 64;

/// A simple polygon: 3 to 64 corners inside the picture, no edge crosses another. Its edges are inside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Point>", into = "Vec<Point>")]
pub struct Polygon(Vec<Point>);

impl Polygon {
    /// A checked polygon.
    ///
    /// # Errors
    /// A [`Refusal`] without a place that says which corner or which two edges are wrong.
    pub fn new(corners: Vec<Point>) -> Result<Self, Refusal> {
        if corners.len() < 3 || corners.len() > POLYGON_CORNERS_MAX {
            return Err(Refusal::new(
                "",
                format!("vùng có {} đỉnh; cần từ 3 đến {POLYGON_CORNERS_MAX} đỉnh", corners.len()),
                format!("the zone has {} corners; give 3 to {POLYGON_CORNERS_MAX}", corners.len()),
            ));
        }
        if let Some(i) = corners.iter().position(|p| !(0.0..=1.0).contains(&p.x) || !(0.0..=1.0).contains(&p.y)) {
            return Err(Refusal::new(
                "",
                format!("đỉnh {} nằm ngoài hình; tọa độ phải từ 0 đến 1", i + 1),
                format!("corner {} lies outside the picture; coordinates are 0 to 1", i + 1),
            ));
        }
        if let Some((i, j)) = crossing_edges(&corners) {
            return Err(Refusal::new(
                "",
                format!("cạnh {} và cạnh {} của vùng cắt nhau; vẽ lại vùng không tự cắt", i + 1, j + 1),
                format!("edges {} and {} of the zone cross; draw it again without crossing itself", i + 1, j + 1),
            ));
        }
        let polygon = Self(corners);
        if polygon.area() <= 0.0 {
            return Err(Refusal::new(
                "",
                "vùng không có diện tích; vẽ lại vùng",
                "the zone has no area; draw it again",
            ));
        }
        Ok(polygon)
    }
    /// The whole picture.
    #[must_use]
    pub fn whole() -> Self {
        Self([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]].map(Point::from).to_vec())
    }
    /// Its corners in drawing order.
    #[must_use]
    pub fn corners(&self) -> &[Point] {
        &self.0
    }
    /// Its area, 0..=1 (shoelace formula).
    #[must_use]
    pub fn area(&self) -> f32 {
        let twice: f32 = self.edges().map(|(a, b)| a.x * b.y - b.x * a.y).sum();
        twice.abs() / 2.0
    }
    /// Whether `p` lies inside; a point on an edge does (even-odd rule).
    #[must_use]
    pub fn contains(&self, p: Point) -> bool {
        let mut inside = false;
        for (a, b) in self.edges() {
            if on_edge(a, b, p) {
                return true;
            }
            if (a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x {
                inside = !inside;
            }
        }
        inside
    }
    fn edges(&self) -> impl Iterator<Item = (Point, Point)> + '_ {
        (0..self.0.len()).map(|i| (self.0[i], self.0[(i + 1) % self.0.len()]))
    }
}

impl TryFrom<Vec<Point>> for Polygon {
    type Error = Refusal;
    fn try_from(corners: Vec<Point>) -> Result<Self, Refusal> {
        Self::new(corners)
    }
}

impl From<Polygon> for Vec<Point> {
    fn from(p: Polygon) -> Self {
        p.0
    }
}

fn turn(a: Point, b: Point, c: Point) -> f64 {
    let (ax, ay) = (f64::from(a.x), f64::from(a.y));
    (f64::from(b.x) - ax) * (f64::from(c.y) - ay) - (f64::from(b.y) - ay) * (f64::from(c.x) - ax)
}

fn on_edge(a: Point, b: Point, p: Point) -> bool {
    turn(a, b, p).abs() < 1e-9
        && (a.x.min(b.x)..=a.x.max(b.x)).contains(&p.x)
        && (a.y.min(b.y)..=a.y.max(b.y)).contains(&p.y)
}

/// The first two edges that cross or touch without being neighbours, or neighbours that fold back on each other.
fn crossing_edges(corners: &[Point]) -> Option<(usize, usize)> {
    let n = corners.len();
    let edge = |i: usize| (corners[i], corners[(i + 1) % n]);
    for i in 0..n {
        for j in i + 1..n {
            let ((a, b), (c, d)) = (edge(i), edge(j));
            let neighbours = j == i + 1 || (i == 0 && j == n - 1);
            let wrong = if neighbours {
                let (before, at, after) = if j == i + 1 { (a, b, d) } else { (c, a, b) };
                at == before || on_edge(before, at, after) || on_edge(at, after, before)
            } else {
                let apart = turn(a, b, c) * turn(a, b, d) < 0.0 && turn(c, d, a) * turn(c, d, b) < 0.0;
                apart || on_edge(a, b, c) || on_edge(a, b, d) || on_edge(c, d, a) || on_edge(c, d, b)
            };
            if wrong {
                return Some((i, j));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polygon(corners: &[[f32; 2]]) -> Result<Polygon, Refusal> {
        Polygon::new(corners.iter().copied().map(Point::from).collect())
    }

    #[test]
    fn a_polygon_that_crosses_itself_is_refused_and_names_the_edges() {
        let bow = polygon(&[[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]).unwrap_err();
        assert!(bow.en.contains("edges 1 and 3"), "{bow}");
        assert!(polygon(&[[0.0, 0.0], [1.0, 0.0], [0.5, 0.0]]).is_err(), "folds back on itself");
        assert!(polygon(&[[0.0, 0.0], [0.0, 0.0], [1.0, 1.0]]).is_err(), "an edge of no length");
        assert!(polygon(&[[0.0, 0.0], [1.2, 0.0], [1.0, 1.0]]).is_err(), "outside the picture");
        assert!(polygon(&[[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 0.2], [0.0, 1.0]]).is_ok(), "concave is fine");
    }

    #[test]
    fn the_edge_of_a_zone_is_inside() {
        let zone = polygon(&[[0.2, 0.2], [0.8, 0.2], [0.8, 0.8], [0.2, 0.8]]).unwrap();
        for p in [[0.2, 0.5], [0.8, 0.8], [0.5, 0.2], [0.5, 0.5]] {
            assert!(zone.contains(p.into()), "{p:?}");
        }
        for p in [[0.19, 0.5], [0.81, 0.8], [0.5, 0.9]] {
            assert!(!zone.contains(p.into()), "{p:?}");
        }
    }

    #[test]
    fn a_box_is_cut_at_the_picture_and_iou_of_itself_is_one() {
        let b = NormBox::new(-0.5, 0.25, 0.5, 2.0).unwrap();
        assert_eq!(b.corners(), [0.0, 0.25, 0.5, 1.0]);
        assert!((b.iou(b) - 1.0).abs() < 1e-6);
        assert!(NormBox::new(1.1, 0.0, 1.2, 1.0).is_none());
        assert!(NormBox::new(f32::NAN, 0.0, 1.0, 1.0).is_none());
    }
}
