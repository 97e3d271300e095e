//! `tamper`: the picture is covered, turned, blurred, black or stands still, and has been for some time.

use super::{
    Maker,
    state::{CameraState, Lasting},
};
use crate::domain::{
    event::EventChange,
    health::PictureFault,
    rule::{Rule, What},
};

/// One rule's memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Tamper(Lasting);

impl Tamper {
    pub fn step(&mut self, rule: &Rule, maker: &mut Maker, state: &CameraState, out: &mut Vec<EventChange>) {
        let What::Tamper { seconds } = rule.what else { return };
        // Too much light is nobody's doing.
        let fault = state.fault.filter(|fault| *fault != PictureFault::Overexposed);
        let number = fault.and_then(|fault| PictureFault::ALL.iter().position(|f| *f == fault));
        let number = number.map(|place| ("fault", place as f64));
        self.0.step(rule, maker, (state.time, fault.is_some()), seconds, number, out);
    }
    pub fn finish(&mut self, out: &mut Vec<EventChange>) {
        self.0.finish(out);
    }
}
