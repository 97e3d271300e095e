//! Every task has a name, an owner and an end. The only place that spawns.

use std::{collections::HashMap, future::Future};

use tokio::task::JoinSet;

/// A group of named tasks with one owner.
#[derive(Debug, Default)]
pub struct Tasks {
    set: JoinSet<()>,
    names: HashMap<tokio::task::Id, String>,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The task's name.
    pub name: String,
    /// Whether it panicked.
    pub panicked: bool,
}

impl Tasks {
    /// No tasks yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// Starts a task.
    pub fn spawn(&mut self, name: impl Into<String>, future: impl Future<Output = ()> + Send + 'static) {
        let handle = self.set.spawn(future);
        self.names.insert(handle.id(), name.into());
    }
    /// Waits for the next task to end; `None` when there are none.
    pub async fn next_ended(&mut self) -> Option<Ended> {
        let ended = self.set.join_next_with_id().await?;
        let (id, panicked) = match ended {
            Ok((id, ())) => (id, false),
            Err(error) => (error.id(), error.is_panic()),
        };
        let name = self.names.remove(&id).unwrap_or_default();
        if panicked {
            tracing::error!(task = name, "a task panicked");
        }
        Some(Ended { name, panicked })
    }
    /// Waits for all of them and names those that panicked.
    pub async fn drain(&mut self) -> Vec<String> {
        let mut panicked = Vec::new();
        while let Some(ended) = self.next_ended().await {
            if ended.panicked {
                panicked.push(ended.name);
            }
        }
        panicked
    }
    /// Ends all of them where they stand.
    pub fn abort_all(&mut self) {
        self.set.abort_all();
    }
}

/// Many short tasks (a transaction that must finish though its client left): counted, awaited at the end.
#[derive(Debug, Clone, Default)]
pub struct ShortTasks(tokio_util::task::TaskTracker);

impl ShortTasks {
    /// Runs `future` to its end even if the caller stops waiting.
    ///
    /// # Errors
    /// The join error when it panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        self.0.spawn(future).await
    }
    /// Runs what computes for long on a thread of its own, so that it holds up nobody; to its end, even if the caller stops
    /// waiting.
    ///
    /// # Errors
    /// The join error when it panicked.
    pub async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        self.0.spawn_blocking(work).await
    }
    /// Starts `future` without waiting for it.
    pub fn detach(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(future);
    }
    /// Waits until none runs.
    pub async fn drain(&self) {
        self.0.close();
        self.0.wait().await;
    }
}

/// Runs work that takes the processor for long on a thread where it holds nobody up.
///
/// # Errors
/// The join error when it panicked.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, tokio::task::JoinError> {
    tokio::task::spawn_blocking(work).await
}

/// Starts a named operating-system thread.
///
/// # Errors
/// The system's error when it has no thread left.
pub fn thread<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> std::io::Result<std::thread::JoinHandle<T>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body)
}
