//! The motion gate at the level of packets: must a camera's stream be decoded whole, or do its key frames do.
//!
//! Two witnesses open it. A coded picture in which nothing moves is small: [`sizes`] learns how small, for every place in
//! the group of pictures, and more than usual is a sign at once. And each key frame is *asked about*: compared with the key
//! frames before it, does it show that something has come? Packets are held until that is answered, so when it does, the
//! stream is decoded whole from the key frame before it on and what came between the two is not lost, only late. Both may
//! fail: the gate begins in the shadow, decoding everything, and [`trust`] counts for how many of the picture gate's
//! episodes it would have been open in time. Only a camera on which it was is gated, and goes on being audited; one on
//! which it is not any more is decoded whole again.
//!
//! Pure: packets and what was seen in them go in with their times, packets to be decoded come out. Moving all times
//! moves nothing else. A packet comes out once at most, in order, but a key frame that was asked about comes again when
//! what follows it is wanted; every run of packets begins with a key frame and has no hole. What is held is bounded; when
//! it gets too much, it is given up and counted, and the next key frame begins anew.

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
/// While a camera is gated it is decoded whole for the last minute of every ten, to see whether the gate still holds.
const AUDIT_EVERY_US: i64 = 600_000_000;
const AUDIT_US: i64 = 60_000_000;
/// So many steps back in time are no accident.
const REORDERED_AFTER: u32 = 10;
/// A step of the times by more than this, or back, is another stream.
const GAP_US: i64 = 30_000_000;
/// How far one opening by sizes counts in how often those are of use, below which share they are not heard any more, and
/// for how long.
const USE_FOLLOW: f32 = 0.2;
const USE_MIN: f32 = 0.2;
const DEAF_US: i64 = 3_600_000_000;
/// What goes on around a hole of this length is no test: what began before it may be over after it.
const HOLE_US: i64 = 1_000_000;

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

/// Why a packet comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It has just come, and all that comes is decoded.
    Now,
    /// It came earlier and was held.
    Later,
    /// A key frame of which is to be told what it shows; it may come again.
    Asked,
}

/// What is done with the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// Every packet is decoded.
    #[default]
    Full,
    /// Key frames are; the others are held until it is told that the next one shows nothing.
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
    /// … each with whether it was decoded already, to ask about it.
    held: VecDeque<(Offered<P>, bool)>,
    held_bytes: usize,
    /// Something is missing behind the last packet fed: nothing can be decoded before the next key frame.
    broken: bool,
    last: Option<MediaTime>,
    /// Since when, and the last sign of anything; the gate is open, or would be.
    open: Option<MediaTime>,
    sign: Option<MediaTime>,
    /// When something moved last, and in how many pictures since it opened.
    moved: Option<MediaTime>,
    moving: u32,
    /// It was opened by sizes; how often that was of use, 0..=1; since when it was not.
    by_size: bool,
    use_of_sizes: f32,
    deaf: Option<MediaTime>,
    on_since: Option<MediaTime>,
    back_steps: u32,
    state: PacketGateState,
}

fn is_audit(time: MediaTime, since: MediaTime) -> bool {
    time.since(since).rem_euclid(AUDIT_EVERY_US) >= AUDIT_EVERY_US - AUDIT_US
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
            open: None,
            sign: None,
            moved: None,
            moving: 0,
            by_size: false,
            use_of_sizes: 1.0,
            deaf: None,
            on_since: None,
            back_steps: 0,
            state: PacketGateState::default(),
        }
    }
}

impl<P: Clone> PacketGate<P> {
    /// How it does.
    #[must_use]
    pub fn state(&self) -> PacketGateState {
        let (episodes, kept) = self.trust.count();
        PacketGateState { on: self.on_since.is_some(), way: self.way, episodes, kept, ..self.state }
    }
    /// The decoder was taken down: what is held is given up, and the next key frame begins anew. What was learned stays.
    pub fn broke(&mut self) {
        self.give_up(self.held.len());
        self.broken = true;
        self.way = Way::Full;
    }
    /// The picture gate begins anew, and has to learn again what is noise.
    pub const fn unsettled(&mut self) {
        self.trust.unsettled();
    }
    /// Takes the next packet; appends to `out` what is to be decoded now, and why.
    pub fn offer(&mut self, packet: Offered<P>, out: &mut Vec<(Offered<P>, Why)>) {
        self.watch(&packet);
        let narrow = self.is_narrow(packet.time);
        if packet.key && (self.broken || self.way == Way::CatchUp && self.is_full(&packet)) {
            self.state.overflows += u64::from(!self.broken);
            self.give_up(self.held.len());
            self.broken = false;
            self.way = Way::Full;
        }
        if self.broken {
            self.state.skipped += 1;
            return;
        }
        match self.way {
            Way::Full if !(narrow && packet.key) => out.push((packet, Why::Now)),
            Way::Full | Way::KeyOnly if narrow => {
                self.way = Way::KeyOnly;
                let asked = packet.key;
                if asked {
                    out.push((packet.clone(), Why::Asked));
                }
                self.hold(packet, asked);
            }
            _ => {
                self.way = Way::CatchUp;
                self.hold(packet, false);
                self.catch_up(out);
            }
        }
    }
    /// What the frame of that time shows: whether something moves, and, of a key frame, whether it stirs when compared
    /// with those before it.
    pub fn tell(&mut self, time: MediaTime, moves: bool, key_stirs: Option<bool>) {
        if moves {
            (self.moved, self.moving) = (Some(time), self.moving.saturating_add(1));
        }
        if self.open.is_some() && moves || key_stirs == Some(true) {
            self.sign_at(time);
        } else if key_stirs == Some(false) && self.way == Way::KeyOnly {
            // What came before it was nothing.
            let before = self.held.iter().position(|(p, _)| p.key && p.time == time);
            self.give_up(before.unwrap_or(0));
        }
        if key_stirs.is_some() {
            self.trust.key(time);
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
        if self.last.is_some_and(|last| time.since(last) > HOLE_US) {
            self.trust.forget_pending();
        }
        let dt_s = self.last.map_or(0.0, |last| time.since(last).clamp(0, 1_000_000) as f32 / 1e6);
        let open = f32::from(u8::from(self.open.is_some()));
        self.state.open_share += dt_s / 3600.0 * (open - self.state.open_share);
        self.last = Some(time);
        // Open with nothing moving was a false alarm, and what comes is usual.
        let moves = self.open.is_some() && self.moved.is_some_and(|moved| time.since(moved) < CLOSE_US);
        if self.sizes.take(packet.key, packet.size, moves) && self.hears_sizes(time) {
            self.by_size |= self.open.is_none();
            self.sign_at(time);
        }
        if self.open.is_some() && self.sign.is_none_or(|sign| time.since(sign) > CLOSE_US) {
            (self.open, self.sign) = (None, None);
            self.trust.closed(time);
            if std::mem::take(&mut self.by_size) {
                let of_use = if self.moving >= trust::LOOKS_MIN { 1.0 } else { 0.0 };
                self.use_of_sizes += USE_FOLLOW * (of_use - self.use_of_sizes);
                self.deaf = (self.use_of_sizes < USE_MIN).then_some(time);
            }
        }
        self.trust.judge(time);
        match self.trust.verdict() {
            Some(true) if !self.state.reordered => self.on_since = self.on_since.or(Some(time)),
            Some(true) => self.on_since = None,
            Some(false) if self.on_since.take().is_some() => self.trust.begin_anew(),
            Some(false) | None => {}
        }
    }
    /// Where noise makes the sizes, they open for nothing again and again.
    fn hears_sizes(&mut self, time: MediaTime) -> bool {
        if self.deaf.is_some_and(|since| !(0..DEAF_US).contains(&time.since(since))) {
            (self.deaf, self.use_of_sizes) = (None, 0.5);
        }
        self.deaf.is_none()
    }
    fn sign_at(&mut self, time: MediaTime) {
        self.sign = Some(self.sign.map_or(time, |sign| sign.max(time)));
        if self.open.is_none() {
            (self.open, self.moving) = (Some(time), 0);
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
    fn hold(&mut self, packet: Offered<P>, asked: bool) {
        // What a key frame shows is told late when there is much to do: then the oldest go.
        while self.way == Way::KeyOnly
            && self.is_full(&packet)
            && let Some(next) = self.held.iter().skip(1).position(|(p, _)| p.key)
        {
            self.state.overflows += 1;
            self.give_up(next + 1);
        }
        if self.is_full(&packet) {
            self.state.overflows += 1;
            // A camera that sends so much between two key frames cannot be caught up with.
            self.on_since = None;
            self.trust.begin_anew();
            self.state.skipped += u64::from(!asked);
            self.give_up(self.held.len());
            self.broken = true;
            self.way = Way::Full;
            return;
        }
        self.held_bytes += packet.size;
        self.held.push_back((packet, asked));
    }
    fn catch_up(&mut self, out: &mut Vec<(Offered<P>, Why)>) {
        // The one that has just come is among them.
        let Some(own) = self.held.len().checked_sub(1) else { return };
        for i in 0..CATCH_UP.min(self.held.len()) {
            if let Some((packet, _)) = self.held.pop_front() {
                self.held_bytes -= packet.size;
                out.push((packet, if i == own { Why::Now } else { Why::Later }));
            }
        }
        if self.held.is_empty() {
            self.way = Way::Full;
        }
    }
    /// Lets go of the oldest that are held.
    fn give_up(&mut self, packets: usize) {
        for (packet, asked) in self.held.drain(..packets) {
            self.held_bytes -= packet.size;
            self.state.skipped += u64::from(!asked);
        }
    }
}

#[cfg(test)]
mod tests;
