//! The keys that are drawn: lines, arrows and measured ground.

use super::Check;
use crate::domain::{
    geometry::{NormBox, Point},
    ground::Ground,
    rule::{Direction, EXCEPT_MAX, RuleKind, What},
};

/// Points of a line or an arrow nearer to each other than this are one.
const LENGTH_MIN: f32 = 0.01;

impl Check<'_> {
    /// Boxes inside the picture.
    pub(super) fn except(&mut self, kind: RuleKind) -> Vec<NormBox> {
        let Some(given) = &self.draft.except else { return Vec::new() };
        if !kind.has_zone() {
            self.stranger("except", kind);
            return Vec::new();
        }
        let parts: Vec<NormBox> = given.iter().filter_map(|corners| NormBox::try_from(*corners).ok()).collect();
        if parts.len() < given.len() || parts.len() > EXCEPT_MAX {
            self.refuse(
                "except",
                format!("cần nhiều nhất {EXCEPT_MAX} ô [trái, trên, phải, dưới] từ 0 đến 1"),
                format!("at most {EXCEPT_MAX} boxes [left, upper, right, lower] from 0 to 1 are needed"),
            );
        }
        parts
    }
    /// Two points inside the picture that are not one.
    pub(super) fn two_points(&mut self, key: &str, given: Option<&Vec<Point>>) -> [Point; 2] {
        let stand_in = [Point { x: 0.0, y: 0.5 }, Point { x: 1.0, y: 0.5 }];
        let Some(points) = given else {
            self.missing(key);
            return stand_in;
        };
        let inside = |p: &Point| (0.0..=1.0).contains(&p.x) && (0.0..=1.0).contains(&p.y);
        match points.as_slice() {
            [a, b] if inside(a) && inside(b) => {
                if (a.x - b.x).hypot(a.y - b.y) < LENGTH_MIN {
                    let (vi, en) = if key == "line" { ("vạch", "line") } else { ("mũi tên", "arrow") };
                    self.refuse(
                        key,
                        format!("{vi} không có chiều dài; chọn hai điểm cách xa nhau"),
                        format!("the {en} has no length; choose two points further apart"),
                    );
                }
                [*a, *b]
            }
            _ => {
                self.refuse(
                    key,
                    "cần đúng hai điểm [[x, y], [x, y]] từ 0 đến 1",
                    "exactly two points [[x, y], [x, y]] from 0 to 1 are needed",
                );
                stand_in
            }
        }
    }

    pub(super) fn ground(&mut self) -> Option<Ground> {
        let four = |given: usize, key: &str, check: &mut Self| {
            if given != 4 {
                let (vi, en) = (format!("có {given} điểm; cần đúng bốn"), format!("{given} points; exactly four"));
                check.refuse(key, vi, format!("{en} are needed"));
            }
        };
        let (picture, metres) = match (&self.draft.ground, &self.draft.ground_m) {
            (Some(picture), Some(metres)) => (picture, metres),
            (picture, metres) => {
                let absent = [("ground", picture.is_none()), ("ground_m", metres.is_none())];
                absent.into_iter().filter(|(_, absent)| *absent).for_each(|(key, _)| self.missing(key));
                return None;
            }
        };
        let (Ok(p), Ok(m)) = (picture.as_slice().try_into(), metres.as_slice().try_into()) else {
            four(picture.len(), "ground", self);
            four(metres.len(), "ground_m", self);
            return None;
        };
        Ground::new(p, m).map_err(|refusal| self.wrong.push(refusal)).ok()
    }

    pub(super) fn line(&mut self) -> What {
        let draft = self.draft;
        let direction = match draft.direction.as_deref() {
            None | Some("both") => None,
            Some(name) => Direction::from_name(name).or_else(|| {
                self.refuse(
                    "direction",
                    format!("không có hướng «{name}»; có: both, left_to_right, right_to_left"),
                    format!("there is no direction “{name}”; there are both, left_to_right, right_to_left"),
                );
                None
            }),
        };
        let line = self.two_points("line", draft.line.as_ref());
        What::LineCrossing { line, direction, margin: self.number("margin", draft.margin, 0.01, 0.0..=0.2, "") }
    }
}
