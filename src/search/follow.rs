//! Where something went next: the sightings at neighbouring cameras, the likeliest first.

use std::collections::BTreeSet;

use crate::{
    domain::{follow::Sighting, ids::CameraId},
    logic::follow::{self, Candidate},
    store::{Store, StoreError},
};

/// The most candidates given.
pub const CANDIDATES_MAX: usize = 20;

/// The likeliest next sightings of something, but for those that are left out.
///
/// # Errors
/// When the database fails.
pub async fn candidates(
    store: &Store,
    subject: &Sighting,
    left_out: &BTreeSet<i64>,
    limit: usize,
) -> Result<Vec<Candidate>, StoreError> {
    let cameras: Vec<CameraId> = store.cameras().await?.into_iter().map(|camera| camera.id).collect();
    let ways = store.ways().await?;
    let classes = follow::may_be(subject.class);
    let mut found = Vec::new();
    for reach in follow::reaches(subject.camera, &ways, &cameras) {
        let window = reach.window(subject.span.end_us);
        let seen = store.sightings(reach.camera, window, &classes).await?;
        let others = seen.iter().filter(|sighting| !left_out.contains(&sighting.track));
        found.extend(others.filter_map(|sighting| follow::fit(subject, &reach, sighting)));
    }
    follow::rank(&mut found);
    found.truncate(limit.min(CANDIDATES_MAX));
    Ok(found)
}
