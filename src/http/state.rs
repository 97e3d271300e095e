use std::{future::Future, path::PathBuf, sync::Arc};

use tokio::sync::Notify;

use super::{audit::Looks, error::ApiError, stills::Stills};
use crate::{
    domain::time::WallTime,
    record::live::Live,
    runtime::{
        board::{Board, Change},
        clock::Clock,
        counters::Counters,
        stop::Stop,
        tasks::ShortTasks,
    },
    store::{Store, StoreError},
    vision::Vision,
};

/// Everything a handler may use; made once by `app`. Cloning shares it.
#[derive(Debug, Clone)]
pub struct AppState {
    /// The database.
    pub store: Store,
    /// Live states: stream status, last pictures, vision.
    pub board: Arc<Board>,
    /// What was done and dropped.
    pub counters: Arc<Counters>,
    /// The clock of the process.
    pub clock: Clock,
    /// Holds `pictures/`.
    pub data_dir: PathBuf,
    /// The folder recordings are written to.
    pub store_dir: PathBuf,
    /// What is shown live.
    pub live: Live,
    /// Pictures of moments past.
    pub stills: Arc<Stills>,
    /// Analysis, where it runs.
    pub vision: Option<Vision>,
    /// Hash of the token of the set-up link; `None`: none was printed.
    pub setup: Option<Arc<str>>,
    /// What the audit log has been told of lately.
    pub looks: Looks,
    /// The name of the installation, shown in the status.
    pub site: String,
    /// Asked: streams of changes and media bodies end.
    pub stop: Stop,
    /// Runs what must finish though its client left.
    pub tasks: ShortTasks,
    /// Poked after each change of cameras, shapes or rules; a poke nobody waits for is kept (one).
    pub on_config: Arc<Notify>,
}

impl AppState {
    /// Now, as recordings have it: what is kept beside them (since when a camera takes part, until when a lock holds)
    /// must not follow a step of the wall clock.
    pub(super) fn now(&self) -> WallTime {
        WallTime(self.clock.media().us())
    }

    /// Runs one change of the configuration to its end and then tells the process and the pages. The store protects its
    /// transaction from a client that leaves; this protects the telling that must follow.
    ///
    /// # Errors
    /// The store's error, or [`ApiError::Internal`] when the change panicked.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, ApiError> {
        let (board, on_config) = (Arc::clone(&self.board), Arc::clone(&self.on_config));
        let told = async move {
            let done = work.await?;
            on_config.notify_one();
            board.announce(Change::Config);
            Ok::<T, StoreError>(done)
        };
        match self.tasks.run(told).await {
            Ok(done) => Ok(done?),
            Err(join) => {
                if join.is_panic() {
                    self.counters.panics.add(1);
                }
                Err(ApiError::Internal(format!("a change did not finish: {join}")))
            }
        }
    }
}
