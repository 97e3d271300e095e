//! From the picture to the ground: four points of the picture whose places in metres a person has measured.
//!
//! The map between two planes by four points (a homography), solved once by elimination. A quadrilateral that is convex
//! in both planes, drawn the same way round, maps its inside without folding; anything else is refused.

use super::{geometry::Point, refusal::Refusal};

/// The least and the greatest length of a side, metres.
const SIDE_M: (f64, f64) = (0.5, 1000.0);
/// The least area of the four points in the picture, 0..=1.
const AREA_MIN: f64 = 1e-4;

/// Four points and the map they make.
#[derive(Debug, Clone, PartialEq)]
pub struct Ground {
    picture: [Point; 4],
    metres: [[f32; 2]; 4],
    /// Rows of the map but for the last number, which is 1.
    map: [f64; 8],
}

impl Ground {
    /// A checked map.
    ///
    /// # Errors
    /// A [`Refusal`] whose place is `ground` or `ground_m`.
    pub fn new(picture: [Point; 4], metres: [[f32; 2]; 4]) -> Result<Self, Refusal> {
        let seen = picture.map(|p| [f64::from(p.x), f64::from(p.y)]);
        let wide = metres.map(|m| m.map(f64::from));
        if !seen.iter().flatten().all(|v| (0.0..=1.0).contains(v)) {
            return Err(Refusal::new(
                "ground",
                "có điểm nằm ngoài hình; tọa độ phải từ 0 đến 1",
                "a point lies outside the picture; coordinates are 0 to 1",
            ));
        }
        let Some(turns) = convex(&seen).filter(|_| area(&seen) >= AREA_MIN) else {
            return Err(Refusal::new(
                "ground",
                "bốn điểm phải là bốn góc của một hình lồi, theo thứ tự đi vòng quanh; chấm lại bốn góc",
                "the four points must be the corners of a convex shape, in order around it; set them again",
            ));
        };
        let sides = (0..4).map(|i| (wide[i][0] - wide[(i + 1) % 4][0]).hypot(wide[i][1] - wide[(i + 1) % 4][1]));
        if !sides.clone().all(|s| (SIDE_M.0..=SIDE_M.1).contains(&s)) {
            return Err(Refusal::new(
                "ground_m",
                "mỗi cạnh phải dài từ 0,5 đến 1000 mét; đo lại",
                "each side must be 0.5 to 1000 metres long; measure again",
            ));
        }
        let folds = || {
            Refusal::new(
                "ground_m",
                "các số mét làm mặt đất gập lại; ghi mét theo đúng thứ tự của bốn điểm trên hình, đi vòng quanh",
                "these metres fold the ground over; give them in the order of the four points, around the shape",
            )
        };
        // Metres may be counted towards the camera or away from it: either way round is a ground, a bow tie is none.
        if convex(&wide).is_none() || turns == 0.0 {
            return Err(folds());
        }
        let map = solve(&seen, &wide).ok_or_else(folds)?;
        let ground = Self { picture, metres, map };
        if ground.picture.iter().any(|p| ground.metres_at(*p).is_none()) { Err(folds()) } else { Ok(ground) }
    }
    /// The four points of the picture.
    #[must_use]
    pub const fn picture(&self) -> [Point; 4] {
        self.picture
    }
    /// Their places, metres.
    #[must_use]
    pub const fn metres(&self) -> [[f32; 2]; 4] {
        self.metres
    }
    /// Where on the ground a point of the picture is, metres; `None` on or beyond the horizon.
    #[must_use]
    pub fn metres_at(&self, p: Point) -> Option<[f64; 2]> {
        let ([a, b, c, d, e, f, g, h], x, y) = (self.map, f64::from(p.x), f64::from(p.y));
        let w = g * x + h * y + 1.0;
        // The sign inside the shape: all four corners share it.
        let inside = g * f64::from(self.picture[0].x) + h * f64::from(self.picture[0].y) + 1.0;
        (w * inside.signum() > 1e-6).then(|| [(a * x + b * y + c) / w, (d * x + e * y + f) / w])
    }
}

fn area(corners: &[[f64; 2]; 4]) -> f64 {
    let twice: f64 = (0..4).map(|i| (corners[i], corners[(i + 1) % 4])).map(|(a, b)| a[0] * b[1] - b[0] * a[1]).sum();
    twice.abs() / 2.0
}

/// The sign of the way round, when every corner turns that way and none is flat.
fn convex(corners: &[[f64; 2]; 4]) -> Option<f64> {
    let turn = |i: usize| {
        let [a, b, c] = [corners[i], corners[(i + 1) % 4], corners[(i + 2) % 4]];
        let (u, v) = ([b[0] - a[0], b[1] - a[1]], [c[0] - b[0], c[1] - b[1]]);
        (u[0] * v[1] - u[1] * v[0]) / (u[0].hypot(u[1]) * v[0].hypot(v[1]))
    };
    let first = turn(0);
    (0..4).all(|i| turn(i) * first.signum() > 0.02).then(|| first.signum())
}

/// Eight numbers from eight equations, by elimination with the largest pivot.
fn solve(from: &[[f64; 2]; 4], to: &[[f64; 2]; 4]) -> Option<[f64; 8]> {
    let mut rows = Vec::with_capacity(8);
    for ([x, y], [u, v]) in from.iter().zip(to) {
        rows.push([*x, *y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, *u]);
        rows.push([0.0, 0.0, 0.0, *x, *y, 1.0, -v * x, -v * y, *v]);
    }
    for column in 0..8 {
        let pivot = (column..8).max_by(|a, b| rows[*a][column].abs().total_cmp(&rows[*b][column].abs()))?;
        if rows[pivot][column].abs() < 1e-12 {
            return None;
        }
        rows.swap(column, pivot);
        for row in 0..8 {
            if row != column {
                let factor = rows[row][column] / rows[column][column];
                let lead = rows[column];
                rows[row].iter_mut().zip(lead).for_each(|(v, l)| *v -= factor * l);
            }
        }
    }
    Some(std::array::from_fn(|i| rows[i][8] / rows[i][i]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROAD: [[f32; 2]; 4] = [[0.3, 0.9], [0.7, 0.9], [0.55, 0.4], [0.45, 0.4]];
    const METRES: [[f32; 2]; 4] = [[0.0, 0.0], [7.0, 0.0], [7.0, 40.0], [0.0, 40.0]];

    #[test]
    fn the_corners_and_the_middle_line_lie_where_they_were_measured() {
        let ground = Ground::new(ROAD.map(Point::from), METRES).unwrap();
        for (p, [x, y]) in ROAD.iter().zip(METRES) {
            let [a, b] = ground.metres_at(Point::from(*p)).unwrap();
            assert!((a - f64::from(x)).abs() < 1e-4 && (b - f64::from(y)).abs() < 1e-3, "{a} {b}");
        }
        let [x, y] = ground.metres_at(Point { x: 0.5, y: 0.6 }).unwrap();
        assert!((x - 3.5).abs() < 1e-3 && (5.0..20.0).contains(&y), "{x} {y}: the near half is longer");
        assert_eq!(ground.metres_at(Point { x: 0.5, y: 0.0 }), None, "the sky");
    }

    #[test]
    fn metres_that_fold_over_and_points_that_are_no_shape_are_refused() {
        let place = |picture: [[f32; 2]; 4], metres| {
            Ground::new(picture.map(Point::from), metres).map_err(|r| r.place).map(drop)
        };
        let [a, b, c, d] = METRES;
        assert_eq!(place(ROAD, [a, c, b, d]), Err("ground_m".into()), "a bow tie");
        assert_eq!(place(ROAD, [a, b, [3.5, 1.0], d]), Err("ground_m".into()), "a dent");
        assert_eq!(place(ROAD, [a, a, c, d]), Err("ground_m".into()), "a side of no length");
        assert_eq!(place(ROAD, [a, b, [f32::NAN, 1.0], d]), Err("ground_m".into()));
        let [p, q, r, s] = ROAD;
        assert_eq!(place([p, r, q, s], METRES), Err("ground".into()), "a bow tie");
        assert_eq!(place([p, q, [0.9, 0.9], s], METRES), Err("ground".into()), "three in a row");
        assert_eq!(place([p, q, r, [0.5, 1.4]], METRES), Err("ground".into()), "outside");
        assert_eq!(place(ROAD, [d, c, b, a]), Ok(()), "counted towards the camera");
    }
}
