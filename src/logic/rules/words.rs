//! The numbers that made a rule fire, in words a person can read, Vietnamese and English; and what must stand beside
//! kinds that accuse somebody.

use crate::domain::{
    event::Event,
    health::PictureFault,
    rule::{Direction, RuleKind},
};

/// Says why, in Vietnamese and in English; empty when the event has no numbers that say anything.
#[must_use]
pub fn why(event: &Event) -> (String, String) {
    let number = |name: &str| event.numbers.get(name).copied();
    let seconds = number("seconds").unwrap_or(0.0);
    let (lasted_vi, lasted_en) = (lasted(seconds, ("giây", "phút", "giờ")), lasted(seconds, ("s", "min", "h")));
    match event.kind {
        RuleKind::Motion => {
            let area = number("motion_area_max").unwrap_or(0.0) * 100.0;
            (
                format!("chuyển động trong {lasted_vi}, nhiều nhất {} % hình", comma(area, 1)),
                format!("moved for {lasted_en}, at most {area:.1} % of the picture"),
            )
        }
        RuleKind::Intrusion => (format!("ở trong vùng {lasted_vi}"), format!("in the zone for {lasted_en}")),
        RuleKind::LineCrossing => match Direction::ALL.into_iter().find(|d| number(d.name()) == Some(1.0)) {
            Some(Direction::LeftToRight) => words("qua vạch từ trái sang phải", "over the line from left to right"),
            Some(Direction::RightToLeft) => words("qua vạch từ phải sang trái", "over the line from right to left"),
            None => words("qua vạch", "over the line"),
        },
        RuleKind::WrongWay => {
            let metres = number("metres").unwrap_or(0.0);
            (
                format!("nghi đi ngược chiều {} giây, khoảng {metres:.0} m (ước tính)", comma(seconds, 1)),
                format!("perhaps the wrong way for {seconds:.1} s, about {metres:.0} m (an estimate)"),
            )
        }
        RuleKind::Stopped => (format!("dừng, đỗ {lasted_vi}"), format!("stood for {lasted_en}")),
        RuleKind::Loitering => (format!("ở lại {lasted_vi}"), format!("stayed for {lasted_en}")),
        RuleKind::Crowd => {
            let most = number("count_max").unwrap_or(0.0);
            (
                format!("đông nhất {most:.0} cùng lúc, kéo dài {lasted_vi}"),
                format!("at most {most:.0} at once, for {lasted_en}"),
            )
        }
        RuleKind::LeftObject => left(event, &lasted_vi, &lasted_en),
        RuleKind::Speeding => speed(event),
        RuleKind::Attribute => {
            // What it is suspected of is what the person who made the rule called it.
            let (votes, name) = (number("votes").unwrap_or(0.0), &event.rule_name);
            let agreeing = number("agreeing").unwrap_or_else(|| (number("share").unwrap_or(0.0) * votes).round());
            (
                format!("{name} ({agreeing:.0} trên {votes:.0} lần nhìn)"),
                format!("{name} ({agreeing:.0} of {votes:.0} looks)"),
            )
        }
        RuleKind::Tamper => tamper(number("fault"), &lasted_vi, &lasted_en),
        RuleKind::CameraDown => (format!("không có tín hiệu {lasted_vi}"), format!("no signal for {lasted_en}")),
    }
}

/// What must stand on cards, pictures and exports of kinds that accuse somebody.
#[must_use]
pub const fn caution(kind: RuleKind) -> Option<(&'static str, &'static str)> {
    match kind {
        RuleKind::WrongWay | RuleKind::Speeding | RuleKind::Attribute => Some((
            "Dấu hiệu do máy nêu, cán bộ phải xem hình và xác minh. Không phải căn cứ xử phạt.",
            "A sign named by a machine; an officer must look at the pictures and verify. No ground for a penalty.",
        )),
        _ => None,
    }
}

fn words(vi: &str, en: &str) -> (String, String) {
    (vi.to_owned(), en.to_owned())
}

/// With a decimal comma.
fn comma(value: f64, digits: usize) -> String {
    format!("{value:.digits$}").replace('.', ",")
}

fn lasted(seconds: f64, (s, min, h): (&str, &str, &str)) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match whole {
        0..60 => format!("{whole} {s}"),
        60..3600 => format!("{} {min} {:02} {s}", whole / 60, whole % 60),
        _ => format!("{} {h} {:02} {min}", whole / 3600, whole % 3600 / 60),
    }
}

fn left(event: &Event, lasted_vi: &str, lasted_en: &str) -> (String, String) {
    let by = event.track.map(|track| track.0);
    let (by_vi, by_en) = match by {
        Some(track) => (format!("; người để lại: đối tượng số {track}"), format!("; put down by object {track}")),
        None => (String::new(), String::new()),
    };
    (format!("đồ vật nằm yên {lasted_vi}{by_vi}"), format!("a thing has lain still for {lasted_en}{by_en}"))
}

fn speed(event: &Event) -> (String, String) {
    let number = |name: &str| event.numbers.get(name).copied().unwrap_or(0.0);
    let (speed, error, limit) = (number("speed_kmh"), number("error_kmh"), number("limit_kmh"));
    let (low, high) = ((speed - error).max(0.0), speed + error);
    (
        format!(
            "Ước tính {speed:.0} km/h ({low:.0}–{high:.0}), không phải thiết bị đo đã kiểm định; giới hạn {limit:.0} km/h"
        ),
        format!(
            "An estimate of {speed:.0} km/h ({low:.0}–{high:.0}), not by a certified device; limit {limit:.0} km/h"
        ),
    )
}

fn tamper(fault: Option<f64>, lasted_vi: &str, lasted_en: &str) -> (String, String) {
    let fault = fault.and_then(|place| PictureFault::ALL.get(place as usize).copied());
    let (vi, en) = match fault {
        Some(PictureFault::Black) => ("hình đen", "the picture is black"),
        Some(PictureFault::Overexposed) => ("hình cháy sáng", "the picture is over-exposed"),
        Some(PictureFault::Covered) => ("hình bị che", "the picture is covered"),
        Some(PictureFault::Frozen) => ("hình đứng", "the picture is frozen"),
        Some(PictureFault::Moved) => ("camera bị xoay lệch", "the camera was turned"),
        Some(PictureFault::Defocused) => ("hình mờ", "the picture is out of focus"),
        None => ("hình không dùng được", "the picture cannot be used"),
    };
    (format!("{vi}, đã {lasted_vi}"), format!("{en}, for {lasted_en}"))
}
