//! Tracks: kept, brought up to date, found again by what was seen of them, removed by age.

use std::collections::BTreeMap;

use vonglau::{
    domain::{
        colour::{Colour, ColourShare, Part, PartColours},
        detection::Class,
        geometry::NormBox,
        ids::{CameraId, TrackId},
        query::{TrackCursor, TrackQuery},
        time::Span,
        track::TrackPoint,
    },
    store::{OldTrack, Store, StoreError, TrackRow},
};

use crate::engines::{NOW, actor, camera, on_every_engine};

pub fn track(camera: CameraId, number: i64, start_us: i64) -> TrackRow {
    let best = TrackPoint {
        track: TrackId(number),
        class: Class::Motorcycle,
        score: 0.75,
        rect: NormBox::new(0.125, 0.25, 0.375, 0.5).unwrap(),
        confirmed: true,
        held: false,
        identity: 0.5,
    };
    TrackRow {
        id: None,
        camera,
        span: Span { start_us, end_us: start_us + 10 },
        best,
        points: 12,
        open: true,
        votes: BTreeMap::from([(Class::Motorcycle, 11), (Class::Bicycle, 1)]),
        colours: vec![],
        size_px: Some([64, 48]),
        path: vec![1, 2, 3],
    }
}

pub fn coloured(part: Part, shares: &[(Colour, f32)]) -> PartColours {
    PartColours {
        part,
        shares: shares.iter().map(|(colour, share)| ColourShare { colour: *colour, share: *share }).collect(),
    }
}

async fn numbers(store: &Store, query: TrackQuery) -> Vec<i64> {
    store.tracks(&query, None, 100).await.unwrap().iter().map(|t| t.best.track.0).collect()
}

#[tokio::test]
async fn a_track_is_entered_and_brought_up_to_date_under_its_number() {
    on_every_engine(|store| async move {
        let (id, ..) = camera(&store, "a").await;
        assert_eq!(store.keep_tracks(&[]).await.unwrap(), Vec::<i64>::new());
        let first = track(id, 7, 100);
        let kept = store.keep_tracks(&[first.clone(), track(id, 8, 100)]).await.unwrap();
        assert!(kept[0] != kept[1], "{kept:?}");
        let read = store.track(kept[0]).await.unwrap().unwrap();
        assert_eq!(read, TrackRow { id: Some(kept[0]), path: vec![], ..first.clone() });
        assert_eq!(store.track_path(kept[0]).await.unwrap(), Some(vec![1, 2, 3]));
        let colours = vec![coloured(Part::Body, &[(Colour::Red, 0.75)])];
        let span = Span { start_us: 100, end_us: 5000 };
        let (open, path, points) = (false, vec![9; 3000], 40);
        let later = TrackRow { id: Some(kept[0]), span, colours, open, path: path.clone(), points, ..first.clone() };
        assert_eq!(store.keep_tracks(std::slice::from_ref(&later)).await.unwrap(), [kept[0]]);
        assert_eq!(store.track(kept[0]).await.unwrap().unwrap(), TrackRow { path: vec![], ..later.clone() });
        assert_eq!(store.track_path(kept[0]).await.unwrap(), Some(path));
        assert_eq!(store.tracks(&TrackQuery::default(), None, 10).await.unwrap().len(), 2, "no further row");
        // One that is gone meanwhile comes back under another number.
        assert_eq!(store.remove_tracks(&[kept[0]]).await.unwrap(), 1);
        let anew = store.keep_tracks(&[later]).await.unwrap()[0];
        assert!(store.track(kept[0]).await.unwrap().is_none() && store.track(anew).await.unwrap().is_some());
        assert_eq!(store.track_path(kept[0]).await.unwrap(), None);
        // What a run that did not end well left open.
        assert_eq!(store.close_open_tracks().await.unwrap(), 1);
        assert!(store.tracks(&TrackQuery::default(), None, 10).await.unwrap().iter().all(|t| !t.open));
    })
    .await;
}

#[tokio::test]
async fn many_at_once_are_kept_and_one_of_no_camera_keeps_none_of_its_batch() {
    on_every_engine(|store| async move {
        let (id, ..) = camera(&store, "a").await;
        let many: Vec<_> = (0..500).map(|n| track(id, n, n)).collect();
        assert_eq!(store.keep_tracks(&many).await.unwrap().len(), 500);
        let refused = store.keep_tracks(&[track(id, 900, 1), track(CameraId(999), 901, 1)]).await;
        assert!(matches!(&refused, Err(StoreError::Database(_))) && refused.unwrap_err().is_lasting());
        assert_eq!(store.tracks(&TrackQuery::default(), None, 1000).await.unwrap().len(), 500);
    })
    .await;
}

#[tokio::test]
async fn tracks_are_found_by_what_was_seen_of_them_and_pages_put_together_are_the_list() {
    on_every_engine(|store| async move {
        let (a, ..) = camera(&store, "a").await;
        let (b, ..) = camera(&store, "b").await;
        let mut rows: Vec<_> = (0..12).map(|n| track(if n % 3 == 0 { b } else { a }, n, 1000 + n / 2)).collect();
        rows[1].colours = vec![
            coloured(Part::Upper, &[(Colour::Red, 0.6), (Colour::White, 0.35)]),
            coloured(Part::Lower, &[(Colour::Blue, 0.9)]),
        ];
        rows[2].colours = vec![coloured(Part::Body, &[(Colour::Red, 1.0)])];
        rows[3].colours = vec![coloured(Part::Upper, &[(Colour::Black, 0.8), (Colour::Red, 0.2)])];
        rows[4].best.class = Class::Person;
        rows[5].best.identity = 1.0;
        store.keep_tracks(&rows).await.unwrap();
        let of = |colours: &[(Option<Part>, Colour)]| TrackQuery { colours: colours.to_vec(), ..TrackQuery::default() };
        let (upper, lower) = (Some(Part::Upper), Some(Part::Lower));
        for (query, expected) in [
            (of(&[(None, Colour::Red)]), vec![2, 1]),
            (of(&[(upper, Colour::Red)]), vec![1]),
            (of(&[(upper, Colour::White), (lower, Colour::Blue)]), vec![1]),
            (of(&[(upper, Colour::Blue)]), vec![]),
            (of(&[(upper, Colour::Black)]), vec![3]),
            (TrackQuery { class: Some(Class::Person), ..TrackQuery::default() }, vec![4]),
            (TrackQuery { identity_least: Some(0.9), ..TrackQuery::default() }, vec![5]),
            (TrackQuery { from_us: Some(1005), ..TrackQuery::default() }, vec![11, 10]),
            (TrackQuery { to_us: Some(1001), cameras: vec![a], ..TrackQuery::default() }, vec![1]),
            (TrackQuery { cameras: vec![b], ..TrackQuery::default() }, vec![9, 6, 3, 0]),
        ] {
            assert_eq!(numbers(&store, query.clone()).await, expected, "{query:?}");
        }
        for cameras in [vec![], vec![a, b]] {
            let query = TrackQuery { cameras, ..TrackQuery::default() };
            let (mut all, mut after) = (Vec::new(), None);
            loop {
                let page = store.tracks(&query, after, 5).await.unwrap();
                let Some(last) = page.last() else { break };
                after = Some(TrackCursor { start_us: last.span.start_us, id: last.id.unwrap() });
                all.extend(page.iter().map(|t| t.best.track.0));
            }
            assert_eq!(all, (0..12).rev().collect::<Vec<_>>());
        }
        let many = TrackQuery { cameras: (0..1001).map(CameraId).collect(), ..TrackQuery::default() };
        assert!(matches!(store.tracks(&many, None, 5).await, Err(StoreError::Refused(_))));
    })
    .await;
}

#[tokio::test]
async fn old_tracks_go_but_not_those_that_go_on_or_are_locked() {
    on_every_engine(|store| async move {
        let (a, ..) = camera(&store, "a").await;
        let (b, ..) = camera(&store, "b").await;
        let closed = |camera, number, start_us| TrackRow { open: false, ..track(camera, number, start_us) };
        let rows = [closed(a, 1, 100), closed(b, 2, 200), closed(a, 3, 300), track(a, 4, 100), closed(a, 5, 900)];
        let ids = store.keep_tracks(&rows).await.unwrap();
        let span = Span { start_us: 305, end_us: 400 };
        let lock = store.add_lock(&actor(), &[a], span, "vụ 7", None, NOW).await.unwrap()[0];
        let old = |i: usize| OldTrack { id: ids[i], start_us: rows[i].span.start_us };
        let first = (i64::MIN, 0);
        assert_eq!(store.old_tracks(None, first, 500, 10).await.unwrap(), [old(0), old(1)]);
        assert_eq!(store.old_tracks(None, (100, ids[0]), 500, 10).await.unwrap(), [old(1)]);
        assert_eq!(store.old_tracks(Some(a), first, 500, 10).await.unwrap(), [old(0)]);
        assert_eq!(store.remove_tracks(&[ids[0], ids[2]]).await.unwrap(), 1, "locked meanwhile");
        store.remove_lock(&actor(), lock, NOW).await.unwrap();
        assert_eq!(store.old_tracks(None, first, 500, 1).await.unwrap(), [old(1)]);
        assert_eq!(store.remove_tracks(&[ids[1], ids[2]]).await.unwrap(), 2);
        assert_eq!(store.old_tracks(None, first, 500, 10).await.unwrap(), []);
    })
    .await;
}
