//! Search: hours that are over are packed for it, a typed line is read with the names of this site, and what left one
//! camera is looked for at its neighbours.
//!
//! In: the store and a clock. Out: packed hours (`store::search`), an understood line (`logic::search`), ranked sightings
//! (`logic::follow`). One hour is packed at a time with a pause, so that whoever writes never waits long. Refuses to know
//! faces and to keep looks: nothing is compared but what tracks keep, and it goes with them.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    domain::{camera::Camera, ids::CameraId, time::Span},
    logic::search::{
        Context,
        places::{Place, PlaceKind},
    },
    runtime::{clock::Clock, stop::Stop},
    store::{ShapeKind, Store, StoreError},
};

pub mod follow;

/// How often it is looked for hours to pack.
const EVERY: Duration = Duration::from_secs(60);
/// Between two hours, so that those who write get their turn.
const PAUSE: Duration = Duration::from_millis(40);
/// An hour is packed when it is over for so long: rows of its end may still be on their way.
const SETTLED_US: i64 = 10 * 60 * 1_000_000;

/// Packs hours until `stop` is asked, the newest first.
pub async fn run(store: Store, clock: Clock, stop: Stop) {
    loop {
        match pass(&store, &clock, &stop).await {
            Ok(0) => {}
            Ok(hours) => tracing::debug!(hours, "packed for the search"),
            Err(error) => tracing::warn!(%error, "hours could not be packed for the search; trying again"),
        }
        tokio::select! {
            () = stop.asked() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

async fn pass(store: &Store, clock: &Clock, stop: &Stop) -> Result<u64, StoreError> {
    let mut packed = 0;
    for hour in store.unpacked_hours(clock.media().us().saturating_sub(SETTLED_US)).await? {
        if stop.is_asked() {
            break;
        }
        store.pack_hour(hour).await?;
        packed += 1;
        tokio::time::sleep(PAUSE).await;
    }
    store.forget_old_hours().await?;
    Ok(packed)
}

/// What is known of this site when a line is read.
///
/// # Errors
/// When the database fails.
pub async fn context(store: &Store, now_us: i64) -> Result<Context, StoreError> {
    let cameras = store.cameras().await?;
    let kinds: BTreeSet<String> = store.rules().await?.iter().map(|rule| rule.kind().name().to_owned()).collect();
    let exits = store.ways().await?.into_iter().filter_map(|way| Some((way.from, way.to, way.heading?))).collect();
    let mut places = places(&cameras);
    for camera in &cameras {
        for shape in store.shapes(camera.id).await? {
            if matches!(shape.kind, ShapeKind::Zone | ShapeKind::Lane) {
                places.push(Place { name: shape.name, kind: PlaceKind::Zone, cameras: vec![camera.id] });
            }
        }
    }
    Ok(Context { now_us, places, kinds, words: store.phrase_words().await?, exits })
}

fn places(cameras: &[Camera]) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for camera in cameras {
        let names = [
            (&camera.code, PlaceKind::Code),
            (&camera.name, PlaceKind::Camera),
            (&camera.cluster_name, PlaceKind::Cluster),
            (&camera.hamlet, PlaceKind::Hamlet),
        ];
        for (name, kind) in names.into_iter().filter(|(name, _)| !name.trim().is_empty()) {
            match places.iter_mut().find(|place| place.kind == kind && place.name == *name) {
                Some(place) => place.cameras.push(camera.id),
                None => places.push(Place { name: name.clone(), kind, cameras: vec![camera.id] }),
            }
        }
    }
    places
}

/// The cameras a search is about; all that take part when it names none.
///
/// # Errors
/// When the database fails.
pub async fn cameras_asked(store: &Store, named: &[CameraId]) -> Result<Vec<Camera>, StoreError> {
    let all = store.cameras().await?;
    Ok(all.into_iter().filter(|camera| named.is_empty() || named.contains(&camera.id)).collect())
}

/// What two lists of spans have in common; each by start, without overlaps.
#[must_use]
pub fn common(a: &[Span], b: &[Span]) -> Vec<Span> {
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        let both = Span { start_us: x.start_us.max(y.start_us), end_us: x.end_us.min(y.end_us) };
        if both.start_us < both.end_us {
            out.push(both);
        }
        if x.end_us < y.end_us { i += 1 } else { j += 1 }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        domain::{
            camera::CameraDraft, detection::Class, geometry::NormBox, ids::TrackId, query::Actor, time::WallTime,
            track::TrackPoint,
        },
        store::TrackRow,
    };

    #[test]
    fn what_is_missing_of_both_streams_is_missing() {
        let spans =
            |list: &[(i64, i64)]| list.iter().map(|(a, b)| Span { start_us: *a, end_us: *b }).collect::<Vec<_>>();
        let (a, b) = (spans(&[(0, 10), (20, 30)]), spans(&[(5, 25), (28, 40)]));
        assert_eq!(common(&a, &b), spans(&[(5, 10), (20, 25), (28, 30)]));
        assert_eq!(common(&a, &[]), []);
    }

    #[tokio::test]
    async fn hours_that_are_over_are_packed_once() {
        let (store, now_us) = (Store::in_memory().await.unwrap(), 1_795_183_450_000_000);
        let clock = Clock::stepped(WallTime(now_us));
        let draft = CameraDraft { name: "a".into(), main_url: "rtsp://127.0.0.1/1".into(), ..CameraDraft::default() };
        let actor = Actor { name: "test".into() };
        let camera = store.add_camera(&actor, &draft.checked().unwrap(), WallTime(now_us)).await.unwrap();
        let best = TrackPoint {
            track: TrackId(1),
            class: Class::Car,
            score: 0.75,
            rect: NormBox::new(0.25, 0.25, 0.5, 0.5).unwrap(),
            confirmed: true,
            held: false,
            identity: 1.0,
        };
        let start_us = now_us - 2 * 3_600_000_000;
        let row = TrackRow {
            id: None,
            camera,
            span: Span { start_us, end_us: start_us + 1 },
            best,
            points: 3,
            open: false,
            votes: BTreeMap::new(),
            colours: Vec::new(),
            size_px: None,
            path: Vec::new(),
        };
        store.keep_tracks(&[row]).await.unwrap();
        let first = pass(&store, &clock, &Stop::new()).await.unwrap();
        let second = pass(&store, &clock, &Stop::new()).await.unwrap();
        assert!(first >= 1, "the hour of the track is not packed");
        assert_eq!(second, 0, "packed again");
    }
}
