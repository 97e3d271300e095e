//! The one file that wires the stages and owns the stop order.
//!
//! Start: store, recorder, vision, events, cameras, pages. Stop: cancel the sources (camera sessions, timers, the
//! listener), then drain what they sent: recorder, vision, events; the store closes last.

mod alarms;
pub mod audit;
mod fleet;
mod place;
mod summary;
mod timekeeper;
pub mod usage;

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
};

use crate::{
    config::{self, Config, ModelChoice},
    domain::{ids::CameraId, refusal::Refusal, rule::Rule, time::WallTime},
    events, http,
    record::{Recorder, ledger::Ledger, sweeper},
    runtime::{
        ask,
        board::{Board, Change},
        clock::Clock,
        counters::Counters,
        secrets,
        stop::Stop,
        tasks::{ShortTasks, Tasks},
        throttle::Throttle,
    },
    search,
    store::Store,
    vision::{Program, Vision, classifier, model::Model},
};

use fleet::Fleet;
use place::lock_data;
pub use place::{is_running, open_store, open_store_there};
pub use summary::Summary;
use timekeeper::Timekeeper;
use usage::PeakMemory;

/// How often a heartbeat is written: what we were not looking at is unknown only from the last one on.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(5);
/// How often changes made by another process (the command line) are looked for.
const CONFIG_EVERY: Duration = Duration::from_secs(1);
/// How long draining may take before what is left is ended.
const DRAIN_MOST: Duration = Duration::from_secs(10);

/// Changes of the settings looked at together.
const CHANGES_LOOKED_AT: u32 = 1000;

/// How a run ends that was asked to, for the evidence of the gap that follows.
const STOPPED: &str = "stopped by a person or the service manager (a signal)";

async fn listen(addr: SocketAddr) -> Result<TcpListener, Refusal> {
    config::check_listen(addr)?;
    TcpListener::bind(addr).await.map_err(|error| {
        Refusal::new(
            format!("listen = {addr}"),
            format!("không mở được địa chỉ này ({error}); có thể cổng đang bận, hãy chọn cổng khác"),
            format!("cannot listen there ({error}); the port may be busy, choose another"),
        )
    })
}

/// Finds the detector: the configured file, else the first in `<data>/models`, else the program's own.
///
/// # Errors
/// A [`Refusal`] when a file is there but cannot serve.
pub fn find_model(choice: &ModelChoice, data: &Path) -> Result<Option<Model>, Refusal> {
    match choice {
        ModelChoice::File(path) => Model::load(path).map(Some),
        ModelChoice::Auto => {
            let installed = Model::from_folder(&data.join("models"))?;
            Ok(Some(installed.unwrap_or_else(Model::street)))
        }
        ModelChoice::Off => Ok(None),
    }
}

/// What vision, events and retention are started with.
struct Seeing<'a> {
    config: &'a Config,
    clock: &'a Clock,
    counters: &'a Arc<Counters>,
    board: &'a Arc<Board>,
    store: &'a Store,
    stop: &'a Stop,
}

impl Seeing<'_> {
    /// Starts what removes by age and keeps room.
    fn keep(&self, core: &mut Tasks) {
        let parts = sweeper::Parts {
            store: self.store.clone(),
            folder: self.config.store.clone(),
            clock: self.clock.clone(),
            counters: Arc::clone(self.counters),
            board: Arc::clone(self.board),
            space: Arc::new(sweeper::disk_space),
        };
        core.spawn("retention", sweeper::run(parts, self.stop.clone()));
        let expiry = events::expiry::run(self.store.clone(), self.config.data.clone(), self.stop.clone());
        core.spawn("expiry", expiry);
        let (store, data, clock) = (self.store.clone(), self.config.data.clone(), self.clock.clone());
        core.spawn("audit-seal", audit::run(store, data, clock, self.stop.clone()));
        core.spawn("search", search::run(self.store.clone(), self.clock.clone(), self.stop.clone()));
    }

    /// Starts the vision child and the events room behind it.
    fn start(&self, rules: watch::Receiver<Arc<Vec<Rule>>>, core: &mut Tasks) -> anyhow::Result<(Vision, ask::Stills)> {
        let model = find_model(&self.config.model, &self.config.data);
        if let Err(refusal) = &model {
            // Recording needs no detector: a wrong model file is said, on the page too, and everything else runs.
            tracing::error!("{refusal}");
        }
        let model_sha256 = model.as_ref().ok().and_then(|m| m.as_ref()).map(|m| m.sha256.clone());
        let path = std::env::current_exe().context("where is this program?")?;
        let classifiers = classifier::from_folder(&self.config.data.join("models"));
        for (file, refusal) in classifiers.iter().filter_map(|c| c.as_ref().err()) {
            tracing::error!(file, "{refusal}");
        }
        let program = Program { path, cache: Some(self.config.data.join("cache")), memory_max: None, classifiers };
        let (clock, counters, board) = (self.clock.clone(), Arc::clone(self.counters), Arc::clone(self.board));
        let (vision, out) = Vision::start(program, model, clock, counters, board, self.stop.clone(), core);
        let settings = events::EventsConfig { data_dir: self.config.data.clone(), model_sha256 };
        let events = events::run(
            out.seen,
            out.looks,
            rules,
            Some(out.snapshots),
            self.store.clone(),
            self.clock.clone(),
            Arc::clone(self.counters),
            Arc::clone(self.board),
            settings,
        );
        core.spawn("events", events);
        let (store, board, clock) = (self.store.clone(), Arc::clone(self.board), self.clock.clone());
        core.spawn("picture-health", events::health::run(store, board, clock, self.stop.clone()));
        Ok((vision, out.stills))
    }
}

/// Everything that runs, in the order in which it was started.
struct Running {
    /// The token of the set-up link.
    setup: String,
    config: Config,
    clock: Clock,
    timekeeper: Timekeeper,
    counters: Arc<Counters>,
    board: Arc<Board>,
    store: Store,
    recorder: Recorder,
    vision: Option<Vision>,
    fleet: Fleet,
    rules: watch::Sender<Arc<Vec<Rule>>>,
    changed: Arc<Notify>,
    /// Writer, indexer, vision link and events: none of them may end before the stop.
    core: Tasks,
    pages: Tasks,
    short: ShortTasks,
    peak: PeakMemory,
    unread: Throttle,
    stop: Stop,
}

/// Serves until `stop` is asked, then drains.
///
/// # Errors
/// A [`Refusal`] for everything a person can mend; other errors when a stage that cannot be restarted ended.
pub async fn serve(
    config: Config,
    record_only: bool,
    stop: Stop,
    ready: impl FnOnce(SocketAddr, Option<&str>),
) -> anyhow::Result<Summary> {
    let listener = listen(config.listen).await?;
    let addr = listener.local_addr()?;
    let lock = lock_data(&config.data)?;
    let mut running = start(config, record_only, stop, listener).await?;
    let without_accounts = !running.store.has_accounts().await?;
    ready(addr, without_accounts.then_some(running.setup.as_str()));
    let outcome = running.watch().await;
    let summary = running.drain().await;
    drop(lock);
    outcome.and(summary)
}

/// Tells vision how cameras usually looked in earlier runs.
async fn remind(store: &Store, vision: Option<&Vision>) {
    let Some(vision) = vision else { return };
    match store.references(None).await {
        Ok(all) => all.into_iter().for_each(|(camera, reference)| vision.remember(camera, reference)),
        // It is learned anew; only what was turned meanwhile is not found out.
        Err(error) => tracing::error!(%error, "how cameras usually look cannot be read"),
    }
}

async fn start(config: Config, record_only: bool, stop: Stop, listener: TcpListener) -> anyhow::Result<Running> {
    let setup = secrets::token()?;
    let (clock, counters, board) = (Clock::machine(), Arc::new(Counters::default()), Arc::new(Board::default()));
    let store = open_store(&config.data).await?;
    let (mut core, mut pages) = (Tasks::new(), Tasks::new());

    alarms::start(&store, &board, &stop, &mut core).await;
    let (folder, counted, told) = (config.store.clone(), Arc::clone(&counters), Arc::clone(&board));
    let recorder = Recorder::start(folder, store.clone(), clock.clone(), counted, told, &mut core).await?;
    // Filled by the first `follow`, so that a rule that cannot be read does not keep the cameras from being recorded.
    let rules = watch::channel(Arc::new(Vec::new())).0;
    let timekeeper = Timekeeper::start(&store, &clock).await?;
    // It looks at the last sign of life before there is one of this run, and at files after they are mended.
    let ledger = Ledger::new(store.clone(), Arc::clone(&board), clock.clone()).await?;
    core.spawn("gap-ledger", ledger.run(stop.clone()));
    let seeing =
        Seeing { config: &config, clock: &clock, counters: &counters, board: &board, store: &store, stop: &stop };
    seeing.keep(&mut core);
    let seeing = if record_only { None } else { Some(seeing.start(rules.subscribe(), &mut core)?) };
    let (vision, stills) = seeing.unzip();
    remind(&store, vision.as_ref()).await;
    let fleet = Fleet::new(
        recorder.clone(),
        vision.clone(),
        clock.clone(),
        Arc::clone(&counters),
        Arc::clone(&board),
        stop.clone(),
    );
    let (changed, short) = (Arc::new(Notify::new()), ShortTasks::default());
    let state = http::AppState {
        store: store.clone(),
        board: Arc::clone(&board),
        counters: Arc::clone(&counters),
        clock: clock.clone(),
        data_dir: config.data.clone(),
        store_dir: config.store.clone(),
        live: recorder.live(),
        stills: Arc::new(http::Stills::new(stills)),
        vision: vision.clone(),
        setup: Some(secrets::token_hash(&setup).into()),
        looks: http::Looks::default(),
        // A name is given at set-up, which comes with accounts; until then the pages show the product's.
        site: String::new(),
        stop: stop.clone(),
        tasks: short.clone(),
        on_config: Arc::clone(&changed),
    };
    pages.spawn("pages", http::serve(listener, state, stop.clone()));
    Ok(Running {
        setup,
        config,
        clock,
        timekeeper,
        counters,
        board,
        store,
        recorder,
        vision,
        fleet,
        rules,
        changed,
        core,
        pages,
        short,
        peak: PeakMemory::default(),
        unread: Throttle::default(),
        stop,
    })
}

impl Running {
    /// Follows the configuration and keeps the heartbeat until the stop is asked or a stage that must not end ends.
    async fn watch(&mut self) -> anyhow::Result<()> {
        let mut config_tick = tokio::time::interval(CONFIG_EVERY);
        let mut heartbeat = tokio::time::interval(HEARTBEAT_EVERY);
        let mut followed = None;
        let mut behind = true;
        let stop = self.stop.clone();
        loop {
            tokio::select! {
                // First the stop: after it the pages and others end because they were asked to.
                biased;
                () = stop.asked() => return Ok(()),
                _ = config_tick.tick() => {
                    self.peak.sample(self.vision.as_ref().and_then(Vision::pid));
                    behind = !self.follow(&mut followed, behind).await;
                }
                () = self.changed.notified() => behind = !self.follow(&mut followed, behind).await,
                // Its stream may have to be started anew though nothing was changed.
                () = self.fleet.session_ended() => behind = !self.follow(&mut followed, true).await,
                _ = heartbeat.tick() => {
                    if let Err(error) = self.timekeeper.look(&self.store, &self.clock).await {
                        tracing::error!(%error, "the clock's anchor could not be kept");
                    }
                    let anchor = self.clock.anchor();
                    // In media time, as the recordings are, so that a step of the wall clock is no absence.
                    let now = WallTime(self.clock.media().us());
                    let beat = self.store.heartbeat(&anchor.boot_id, self.clock.boot().us(), now).await;
                    if let Err(error) = beat {
                        tracing::error!(%error, "the heartbeat could not be written");
                    }
                }
                Some(ended) = self.core.next_ended() => return Err(self.died(&ended.name)),
                Some(ended) = self.pages.next_ended() => return Err(self.died(&ended.name)),
            }
        }
    }

    fn died(&self, name: &str) -> anyhow::Error {
        self.stop.ask();
        anyhow::anyhow!("{name} ended though nobody asked; stopping so that the service manager starts everything anew")
    }

    /// Reads cameras and rules again when something was changed since `followed`, or in any case when `behind`. Whether
    /// all of it could be followed; if not, the next tick tries again.
    async fn follow(&mut self, followed: &mut Option<i64>, behind: bool) -> bool {
        let latest = match self.store.latest_change().await {
            Ok(latest) if *followed == Some(latest) && !behind => return true,
            Ok(latest) => latest,
            Err(error) => return self.cannot_follow(&error),
        };
        let masks = match self.store.masks().await {
            Ok(masks) => {
                self.fleet.mask(masks);
                true
            }
            Err(error) => self.cannot_follow(&error),
        };
        // Apart from each other: a rule that cannot be read may not keep a camera from being recorded.
        let cameras = match self.store.cameras().await {
            Ok(cameras) => {
                self.fleet.follow(&cameras);
                true
            }
            Err(error) => self.cannot_follow(&error),
        };
        let rules = match self.store.rules().await {
            Ok(rules) => {
                self.rules.send_if_modified(|now| {
                    let differs = **now != rules;
                    *now = Arc::new(rules);
                    differs
                });
                true
            }
            Err(error) => self.cannot_follow(&error),
        };
        if *followed != Some(latest) {
            self.pardon(*followed).await;
            self.board.announce(Change::Config);
            *followed = Some(latest);
        }
        cameras && rules && masks
    }

    /// Whoever saved a camera's settings has looked at it, also when nothing else came of it.
    async fn pardon(&self, followed: Option<i64>) {
        let (Some(vision), Some(followed)) = (&self.vision, followed) else { return };
        for change in self.store.changes_after(followed, CHANGES_LOOKED_AT).await.unwrap_or_default() {
            if change.what.starts_with("camera.") {
                vision.saved(CameraId(change.object));
            }
        }
    }

    fn cannot_follow(&self, error: &crate::store::StoreError) -> bool {
        // What runs goes on with what it knows.
        if let Some(times) = self.unread.say(1, self.clock.boot()) {
            tracing::error!(%error, times, "the configuration could not be read");
        }
        false
    }

    /// Lets everything received reach the disk and the index, then closes the store.
    async fn drain(self) -> anyhow::Result<Summary> {
        let Self {
            config,
            clock,
            counters,
            board,
            store,
            recorder,
            vision,
            fleet,
            rules,
            mut core,
            mut pages,
            short,
            peak,
            stop,
            ..
        } = self;
        stop.ask();
        peak.sample(vision.as_ref().and_then(Vision::pid));
        let mut cameras = 0;
        let work = async {
            cameras = store.cameras().await.map_or(0, |c| c.len());
            tracing::info!("stopping: cameras");
            fleet.drain().await;
            tracing::info!("stopping: recorder");
            recorder.finish().await;
            tracing::info!("stopping: vision and events");
            if let Some(vision) = vision {
                vision.finish().await;
            }
            // The events room reads rules to its end.
            let panicked = core.drain().await;
            drop(rules);
            pages.drain().await;
            short.drain().await;
            alarms::keep_last(&store, &board).await;
            if panicked.is_empty() {
                let (anchor, now) = (clock.anchor(), WallTime(clock.media().us()));
                if let Err(error) = store.end_life(&anchor.boot_id, clock.boot().us(), now, STOPPED).await {
                    tracing::warn!(%error, "that it ended well could not be written");
                }
            }
            store.close().await;
            panicked
        };
        let panicked = tokio::select! {
            panicked = work => panicked,
            () = stop.forced() => vec!["(forced to end)".to_owned()],
            () = tokio::time::sleep(DRAIN_MOST) => vec!["(draining took too long)".to_owned()],
        };
        tracing::info!(data = %config.data.display(), "stopped");
        anyhow::ensure!(panicked.is_empty(), "did not end well: {}", panicked.join(", "));
        Ok(Summary {
            cameras,
            packets_received: counters.packets_received.get(),
            packets_recorded: counters.packets_recorded.get(),
            fragments: counters.fragments.get(),
            frames_decoded: counters.frames_decoded.get(),
            inferences: counters.inferences.get(),
            tracks: counters.tracks.get(),
            events: counters.events.get(),
            cpu_seconds: usage::cpu_seconds(),
            rss_bytes_max: peak.bytes(),
        })
    }
}
