//! What `tamper` and `camera_down` have in common: a state of the camera that has lasted is an event, its end closes it.

use super::{
    Maker,
    open::{Open, Sighting},
};
use crate::domain::{event::EventChange, geometry::NormBox, health::PictureFault, rule::Rule, time::MediaTime};

/// How a camera is at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CameraState {
    /// When.
    pub time: MediaTime,
    /// What is wrong with its picture, if that can be told and something is.
    pub fault: Option<PictureFault>,
    /// Whether it sends; `None`: not known (a service that has just begun, a planned outage).
    pub sends: Option<bool>,
}

/// A state that may last.
#[derive(Debug, Clone, Default)]
pub(super) struct Lasting {
    since: Option<MediaTime>,
    open: Option<Open>,
}

/// The whole picture.
fn whole() -> Option<NormBox> {
    NormBox::new(0.0, 0.0, 1.0, 1.0)
}

impl Lasting {
    /// It is so now, or it is not; `number` says more about it.
    pub fn step(
        &mut self,
        rule: &Rule,
        maker: &mut Maker,
        (now, holds): (MediaTime, bool),
        seconds: f32,
        number: Option<(&str, f64)>,
        out: &mut Vec<EventChange>,
    ) {
        if !holds {
            self.since = None;
            let over = self.open.take_if(|open| super::is_over(rule, open.event.end_us, now, 0));
            out.extend(over.map(Open::close));
            return;
        }
        let (since, Some(rect)) = (*self.since.get_or_insert(now), whole()) else { return };
        let lasted = now.since(since) as f64 / 1e6;
        if let Some(open) = &mut self.open {
            if now.us() > open.event.end_us {
                open.hold(Sighting { time: now, rect, score: 1.0 });
                open.number("seconds", super::seconds(&open.event));
                out.extend(open.update(now));
            }
        } else if lasted >= f64::from(seconds) && lasted > 0.0 {
            let first = Sighting { time: since, rect, score: 1.0 };
            let (key, event) = maker.event(rule, first);
            let mut open = Open::new(key, event, &[first, Sighting { time: now, ..first }], now);
            open.number("seconds", lasted);
            if let Some((name, value)) = number {
                open.number(name, value);
            }
            out.push(open.opened());
            self.open = Some(open);
        }
    }

    pub fn finish(&mut self, out: &mut Vec<EventChange>) {
        self.since = None;
        out.extend(self.open.take().map(Open::close));
    }
}
