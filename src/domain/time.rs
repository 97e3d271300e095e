//! Three times that do not mix (architecture §10) and half-open spans.

use serde::{Deserialize, Serialize};

macro_rules! times {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl $name {
            /// The number of microseconds.
            #[must_use]
            pub const fn us(self) -> i64 {
                self.0
            }
            /// This time moved by `delta_us` microseconds, saturating.
            #[must_use]
            pub const fn plus_us(self, delta_us: i64) -> Self {
                Self(self.0.saturating_add(delta_us))
            }
            /// Microseconds from `earlier` to this time; negative if it is later.
            #[must_use]
            pub const fn since(self, earlier: Self) -> i64 {
                self.0.saturating_sub(earlier.0)
            }
        }
    )+};
}

times! {
    /// What a packet says, as UTC microseconds through an anchor. Every `*_us` in the database is one.
    MediaTime,
    /// UTC now, in microseconds since 1970; may step.
    WallTime,
    /// Microseconds since boot; never steps, counts suspended time.
    BootTime,
}

/// A half-open stretch of media time, `start_us <= t < end_us`, in UTC microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Span {
    /// First microsecond inside.
    pub start_us: i64,
    /// First microsecond after.
    pub end_us: i64,
}

impl Span {
    /// A span, or `None` when it would end before it starts.
    #[must_use]
    pub const fn new(start_us: i64, end_us: i64) -> Option<Self> {
        if start_us <= end_us { Some(Self { start_us, end_us }) } else { None }
    }
    /// Its length in microseconds.
    #[must_use]
    pub const fn len_us(self) -> i64 {
        self.end_us.saturating_sub(self.start_us)
    }
    /// Whether `t` lies inside.
    #[must_use]
    pub const fn contains(self, t: MediaTime) -> bool {
        self.start_us <= t.0 && t.0 < self.end_us
    }
    /// Whether the two share at least one microsecond.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.start_us < other.end_us && other.start_us < self.end_us
    }
}
