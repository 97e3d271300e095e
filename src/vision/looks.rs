//! The looks of tracks on their way from the child to `events`: no more pictures than a street needs, whatever the child
//! says.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::mpsc;

use crate::{
    domain::{ids::CameraId, look::TrackLook, time::BootTime},
    logic::quota::Quota,
    runtime::{counters::Counters, throttle::Throttle},
};

/// Pictures of one camera at once …
const PICTURES_BURST: u32 = 120;
/// … and then one a second. A child gone wrong fills at most 1 GB a day and camera; a street rarely sees 30 tracks a
/// minute, of two pictures each.
const PICTURE_EVERY_US: i64 = 1_000_000;

/// The way out of the parent.
#[derive(Debug)]
pub(super) struct Looks {
    out: mpsc::Sender<TrackLook>,
    counters: Arc<Counters>,
    /// By camera; only cameras that are there come here.
    quotas: BTreeMap<CameraId, Quota>,
    throttle: Throttle,
}

impl Looks {
    pub fn new(out: mpsc::Sender<TrackLook>, counters: Arc<Counters>) -> Self {
        Self { out, counters, quotas: BTreeMap::new(), throttle: Throttle::default() }
    }
    /// Hands a look on that has been checked. Pictures beyond the limit are left out, a look for which there is no room is
    /// dropped; both are counted.
    pub fn take(&mut self, mut look: TrackLook, now: BootTime) {
        let quota = self.quotas.entry(look.camera).or_insert_with(|| Quota::new(PICTURES_BURST, PICTURE_EVERY_US));
        let mut lost = 0;
        for picture in [&mut look.largest, &mut look.sharpest] {
            if picture.is_some() && !quota.take(now) {
                *picture = None;
                lost += 1;
            }
        }
        if let Err(mpsc::error::TrySendError::Full(look)) = self.out.try_send(look) {
            lost += [look.largest, look.sharpest].iter().flatten().count().max(1) as u64;
        }
        self.counters.crops_lost.add(lost);
        if lost > 0
            && let Some(crops) = self.throttle.say(lost, now)
        {
            tracing::warn!(crops, "pictures of tracks are left out: too many at once");
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::domain::ids::TrackId;

    #[test]
    fn a_flood_of_pictures_is_cut_off_for_its_camera_alone_and_counted() {
        let (out, mut looks) = mpsc::channel(1000);
        let counters = Arc::new(Counters::default());
        let mut way = Looks::new(out, counters.clone());
        let picture = || Some(Bytes::from_static(b"\xff\xd8"));
        let look = |camera, track| TrackLook {
            camera: CameraId(camera),
            track: TrackId(track),
            votes: vec![],
            colours: vec![],
            size_px: [1, 1],
            largest: picture(),
            sharpest: picture(),
        };
        for track in 0..100 {
            way.take(look(1, track), BootTime(0));
        }
        way.take(look(2, 0), BootTime(0));
        way.take(look(1, 100), BootTime(2_000_000));
        let mut pictures = BTreeMap::new();
        let mut all = 0;
        while let Ok(look) = looks.try_recv() {
            all += 1;
            *pictures.entry(look.camera.0).or_insert(0) += [look.largest, look.sharpest].iter().flatten().count();
        }
        assert_eq!(all, 102, "without their pictures looks still come");
        assert_eq!(pictures, BTreeMap::from([(1, 122), (2, 2)]));
        assert_eq!(counters.crops_lost.get(), 80);
    }

    #[test]
    fn what_nobody_takes_up_is_counted() {
        let (out, _looks) = mpsc::channel(1);
        let counters = Arc::new(Counters::default());
        let mut way = Looks::new(out, counters.clone());
        let look = TrackLook {
            camera: CameraId(1),
            track: TrackId(1),
            votes: vec![],
            colours: vec![],
            size_px: [1, 1],
            largest: None,
            sharpest: None,
        };
        way.take(look.clone(), BootTime(0));
        way.take(look, BootTime(0));
        assert_eq!(counters.crops_lost.get(), 1);
    }
}
