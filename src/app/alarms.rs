//! The board's alarms kept in the database: for the command line, and over a restart those that wait for a person.

use std::{sync::Arc, time::Duration};

use tokio::sync::broadcast::error::RecvError;

use crate::{
    domain::alarm::Alarm,
    runtime::{
        board::{Board, Change},
        stop::Stop,
        tasks::Tasks,
    },
    store::Store,
};

/// Pause after the database failed.
const RETRY: Duration = Duration::from_secs(5);

/// Puts up again what an earlier run left for a person, then keeps both in step until `stop` is asked. Recording does not
/// wait for a database that cannot say it.
pub async fn start(store: &Store, board: &Arc<Board>, stop: &Stop, core: &mut Tasks) {
    match store.alarms().await {
        Ok(alarms) => board.put_back(alarms),
        Err(error) => tracing::error!(%error, "alarms of an earlier run cannot be read"),
    }
    core.spawn("alarms", keep(store.clone(), Arc::clone(board), stop.clone()));
}

async fn keep(store: Store, board: Arc<Board>, stop: Stop) {
    let (mut changes, mut kept) = (board.listen(), None::<Vec<Alarm>>);
    loop {
        let (now, mut failed) = (board.alarms(), false);
        if kept.as_ref() != Some(&now) {
            match store.keep_alarms(&now).await {
                Ok(()) => kept = Some(now),
                Err(error) => {
                    tracing::warn!(%error, "the alarms could not be kept; trying again");
                    failed = true;
                }
            }
        }
        tokio::select! {
            biased;
            () = stop.asked() => return,
            () = tokio::time::sleep(RETRY), if failed => {}
            () = changed(&mut changes) => {}
        }
    }
}

async fn changed(changes: &mut tokio::sync::broadcast::Receiver<Change>) {
    loop {
        match changes.recv().await {
            Ok(Change::Alarms) | Err(RecvError::Lagged(_)) => return,
            Ok(_) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// The last word of a run that ends: what goes with its cause went with the run.
pub async fn keep_last(store: &Store, board: &Board) {
    let alarms: Vec<Alarm> = board.alarms().into_iter().filter(|a| a.kind.is_until_seen()).collect();
    if let Err(error) = store.keep_alarms(&alarms).await {
        tracing::error!(%error, "the alarms could not be kept");
    }
}
