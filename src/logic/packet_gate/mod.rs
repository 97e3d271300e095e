//! The motion gate at the level of packets: must a camera's stream be decoded whole, or do its key frames do.
//!
//! A coded picture in which nothing moves is small. [`sizes`] learns how small, for every place in the group of
//! pictures; when more comes than usual, or the picture gate sees something in a key frame, the stream is decoded whole
//! again, beginning with the packets held since the last key frame, so that nothing in them is lost. Size alone is a
//! weak witness, and on some cameras none: the gate begins in the shadow, decoding everything, and [`trust`] counts for
//! how many of the picture gate's episodes it would have been open in time. Only a camera on which it was is gated, and
//! goes on being audited; one on which it is not any more is decoded whole again.
//!
//! Pure: packets and what was seen in them go in with their times, packets to be decoded come out. Moving all times
//! moves nothing else. A packet comes out once at most, in order; every run of packets begins with a key frame and has no
//! hole. What is held is bounded; when it gets too much, all of it is given up and counted, and the next key frame
//! begins anew.

pub mod sizes;
pub mod trust;

use std::collections::VecDeque;

use self::{sizes::Sizes, trust::Trust};
use crate::domain::time::MediaTime;

/// Bytes and packets of one camera that may be held.
pub const HELD_BYTES_MAX: usize = 1 << 20;
/// See [`HELD_BYTES_MAX`].
pub const HELD_MAX: usize = 512;
/// Held packets fed for each one that comes: catching up is three times as fast as the stream, so that the analysis
/// behind the decoder keeps up.
const CATCH_UP: usize = 3;
/// The stream is decoded whole for so long after the last sign of anything.
const CLOSE_US: i64 = 5_000_000;
/// So long after a key frame a picture still counts as what it shows.
const KEY_SHOWN_US: i64 = 250_000;
/// While a camera is gated it is decoded whole for the first minute of every ten, to see whether the gate still holds.
const AUDIT_EVERY_US: i64 = 600_000_000;
const AUDIT_US: i64 = 60_000_000;
/// So many steps back in time are no accident.
const REORDERED_AFTER: u32 = 10;
/// A step of the times by more than this, or back, is another stream.
const GAP_US: i64 = 30_000_000;

/// A packet as the gate sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered<P> {
    /// Presentation time.
    pub time: MediaTime,
    /// Whether decoding can start here.
    pub key: bool,
    /// Bytes.
    pub size: usize,
    /// The packet itself.
    pub packet: P,
}

/// What is done with the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// Every packet is decoded.
    #[default]
    Full,
    /// Key frames are; the others are held until the next one.
    KeyOnly,
    /// What was held is decoded, faster than it came, and what comes queues behind it.
    CatchUp,
}

/// How the gate of one camera does, for the board.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PacketGateState {
    /// Whether it decides; otherwise it only watches.
    pub on: bool,
    /// What it does now.
    pub way: Way,
    /// Episodes of motion it was judged by, of the last [`trust::WINDOW`].
    pub episodes: u32,
    /// … and for how many it was open in time.
    pub kept: u32,
    /// Share of the last hour or so, 0..=1, in which it was open or would have been.
    pub open_share: f32,
    /// Packets never decoded, since the start.
    pub skipped: u64,
    /// How often too much had to be held, since the start.
    pub overflows: u64,
    /// Pictures come in another order than they are shown: key frames alone would come late, so it stays off.
    pub reordered: bool,
}

/// The gate of one camera.
#[derive(Debug, Clone)]
pub struct PacketGate<P> {
    sizes: Sizes,
    trust: Trust,
    way: Way,
    held: VecDeque<Offered<P>>,
    held_bytes: usize,
    /// Something is missing behind the last packet fed: nothing can be decoded before the next key frame.
    broken: bool,
    last: Option<MediaTime>,
    key: Option<MediaTime>,
    /// Since when, and the last sign of anything; the gate is open, or would be.
    open: Option<MediaTime>,
    sign: Option<MediaTime>,
    on_since: Option<MediaTime>,
    back_steps: u32,
    state: PacketGateState,
}

fn is_audit(time: MediaTime, since: MediaTime) -> bool {
    time.since(since).rem_euclid(AUDIT_EVERY_US) < AUDIT_US
}

impl<P> Default for PacketGate<P> {
    fn default() -> Self {
        Self {
            sizes: Sizes::default(),
            trust: Trust::default(),
            way: Way::Full,
            held: VecDeque::new(),
            held_bytes: 0,
            broken: true,
            last: None,
            key: None,
            open: None,
            sign: None,
            on_since: None,
            back_steps: 0,
            state: PacketGateState::default(),
        }
    }
}

impl<P> PacketGate<P> {
    /// How it does.
    #[must_use]
    pub fn state(&self) -> PacketGateState {
        let (episodes, kept) = self.trust.count();
        PacketGateState { on: self.on_since.is_some(), way: self.way, episodes, kept, ..self.state }
    }
    /// The decoder was taken down: what is held is given up, and the next key frame begins anew. What was learned stays.
    pub fn broke(&mut self) {
        self.give_up();
        self.broken = true;
        self.way = Way::Full;
    }
    /// Takes the next packet; appends to `out` what is to be decoded now, each with whether it was held before.
    pub fn offer(&mut self, packet: Offered<P>, out: &mut Vec<(Offered<P>, bool)>) {
        self.watch(&packet);
        let narrow = self.is_narrow(packet.time);
        // One that ends too long a queue begins anew as well.
        if packet.key && (self.way != Way::CatchUp || self.is_full(&packet)) {
            self.state.overflows += u64::from(self.way == Way::CatchUp);
            self.give_up();
            self.broken = false;
            self.way = if narrow { Way::KeyOnly } else { Way::Full };
            out.push((packet, false));
            return;
        }
        if self.broken {
            self.state.skipped += 1;
            return;
        }
        match self.way {
            Way::Full => out.push((packet, false)),
            Way::KeyOnly | Way::CatchUp => {
                self.hold(packet);
                if !narrow {
                    self.way = Way::CatchUp;
                }
                self.catch_up(out);
            }
        }
    }
    /// What the picture gate said of the frame of that time: whether something moves, and whether it may.
    pub fn tell(&mut self, time: MediaTime, moves: bool, stirs: bool) {
        let shows_key = self.key.is_some_and(|key| (0..=KEY_SHOWN_US).contains(&time.since(key)));
        if self.open.is_some() && moves || shows_key && (moves || stirs) {
            self.sign_at(time);
        }
        // Between audits only that is seen for which it opened: that would be no test.
        let tested = self.on_since.is_none_or(|since| is_audit(time, since));
        self.trust.look(time, moves, tested && self.way == Way::Full && !self.broken);
    }
    /// Learns from the packet's size, and opens or closes.
    fn watch(&mut self, packet: &Offered<P>) {
        let time = packet.time;
        if let Some(last) = self.last.filter(|last| !(0..GAP_US).contains(&time.since(*last))) {
            // Reordered pictures go back a little and often, a clock that is set seldom.
            if (-1_000_000..0).contains(&time.since(last)) {
                self.back_steps = self.back_steps.saturating_add(1);
                self.state.reordered |= self.back_steps >= REORDERED_AFTER;
            } else {
                (self.open, self.sign) = (None, None);
                self.on_since = self.on_since.map(|_| time);
                self.trust.forget_pending();
            }
        }
        if packet.key {
            self.key = Some(time);
            self.trust.key(time);
        }
        let dt_s = self.last.map_or(0.0, |last| time.since(last).clamp(0, 1_000_000) as f32 / 1e6);
        let open = f32::from(u8::from(self.open.is_some()));
        self.state.open_share += dt_s / 3600.0 * (open - self.state.open_share);
        self.last = Some(time);
        if self.sizes.take(packet.key, packet.size, self.open.is_some()) {
            self.sign_at(time);
        }
        if self.open.is_some() && self.sign.is_none_or(|sign| time.since(sign) > CLOSE_US) {
            (self.open, self.sign) = (None, None);
            self.trust.closed(time);
        }
        self.trust.judge(time);
        match self.trust.verdict() {
            Some(true) if !self.state.reordered => self.on_since = self.on_since.or(Some(time)),
            Some(true) => self.on_since = None,
            Some(false) if self.on_since.take().is_some() => self.trust.begin_anew(),
            Some(false) | None => {}
        }
    }
    fn sign_at(&mut self, time: MediaTime) {
        self.sign = Some(self.sign.map_or(time, |sign| sign.max(time)));
        if self.open.is_none() {
            self.open = Some(time);
            self.trust.opened(time);
        }
    }
    /// Whether key frames do at that time.
    fn is_narrow(&self, time: MediaTime) -> bool {
        self.open.is_none() && self.on_since.is_some_and(|since| !is_audit(time, since))
    }
    fn is_full(&self, packet: &Offered<P>) -> bool {
        self.held.len() >= HELD_MAX || self.held_bytes + packet.size > HELD_BYTES_MAX
    }
    fn hold(&mut self, packet: Offered<P>) {
        if self.is_full(&packet) {
            self.state.overflows += 1;
            self.state.skipped += 1;
            self.give_up();
            self.broken = true;
            self.way = Way::KeyOnly;
            return;
        }
        self.held_bytes += packet.size;
        self.held.push_back(packet);
    }
    fn catch_up(&mut self, out: &mut Vec<(Offered<P>, bool)>) {
        if self.way != Way::CatchUp || self.broken {
            return;
        }
        // The one that has just come is among them.
        let own = self.held.len() - 1;
        for i in 0..CATCH_UP.min(self.held.len()) {
            if let Some(packet) = self.held.pop_front() {
                self.held_bytes -= packet.size;
                out.push((packet, i != own));
            }
        }
        if self.held.is_empty() {
            self.way = Way::Full;
        }
    }
    fn give_up(&mut self) {
        self.state.skipped += self.held.len() as u64;
        self.held.clear();
        self.held_bytes = 0;
    }
}

#[cfg(test)]
mod tests;
