//! `camera_down`: the camera sends nothing, and has not for some time.

use super::{
    Maker,
    state::{CameraState, Lasting},
};
use crate::domain::{
    event::EventChange,
    rule::{Rule, What},
};

/// One rule's memory.
#[derive(Debug, Clone, Default)]
pub(super) struct CameraDown(Lasting);

impl CameraDown {
    pub fn step(&mut self, rule: &Rule, maker: &mut Maker, state: &CameraState, out: &mut Vec<EventChange>) {
        let What::CameraDown { seconds } = rule.what else { return };
        self.0.step(rule, maker, (state.time, state.sends == Some(false)), seconds, None, out);
    }
    pub fn finish(&mut self, out: &mut Vec<EventChange>) {
        self.0.finish(out);
    }
}
