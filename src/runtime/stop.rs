//! Stopping: cancel the sources, drain the rest (architecture §5.8).

use tokio_util::sync::CancellationToken;

/// Two tokens. Only camera sessions, timers and the listener watch `soft`; `hard` ends what is left.
#[derive(Debug, Clone)]
pub struct Stop {
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

impl Stop {
    /// Nothing has been asked to stop.
    #[must_use]
    pub fn new() -> Self {
        let hard = CancellationToken::new();
        Self { soft: hard.child_token(), hard }
    }
    /// Asks the sources to stop.
    pub fn ask(&self) {
        self.soft.cancel();
    }
    /// Ends everything now.
    pub fn now(&self) {
        self.hard.cancel();
    }
    /// Resolves when the sources should stop.
    pub async fn asked(&self) {
        self.soft.cancelled().await;
    }
    /// Whether the sources should stop.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.soft.is_cancelled()
    }
    /// Resolves when everything should end.
    pub async fn forced(&self) {
        self.hard.cancelled().await;
    }
    /// A stop of its own that also follows this one's `asked`; for one camera among many.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { soft: self.soft.child_token(), hard: self.hard.child_token() }
    }
}
