//! The parent's book of what the child has to be told of each camera before its first packet, and at each change: its
//! masks, and how it usually looks.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    link::{Down, LinkError},
    wire::Wire,
};
use crate::{
    domain::{
        health::{Light, Reference},
        ids::CameraId,
        mask::Masks,
        time::BootTime,
    },
    runtime::board::Board,
};

/// The book.
#[derive(Debug, Default)]
pub(super) struct Sight {
    masks: BTreeMap<CameraId, Masks>,
    usual: BTreeMap<(CameraId, Light), Reference>,
}

impl Sight {
    /// Puts masks in force: the child is told of those that changed, and pictures made with those of before are taken down.
    ///
    /// # Errors
    /// [`LinkError::TooLarge`].
    pub fn mask(
        &mut self,
        masks: BTreeMap<CameraId, Masks>,
        board: &Board,
        mut wire: Option<&mut Wire>,
        now: BootTime,
    ) -> Result<(), LinkError> {
        for camera in self.set_masks(masks) {
            board.drop_picture(camera);
            if let Some(wire) = &mut wire {
                wire.say(&self.masks_of(camera), now)?;
                wire.flush();
            }
        }
        Ok(())
    }
    /// Notes the masks in force: the cameras whose masks are others now.
    fn set_masks(&mut self, masks: BTreeMap<CameraId, Masks>) -> Vec<CameraId> {
        let before = std::mem::replace(&mut self.masks, masks);
        let all: BTreeSet<_> = before.keys().chain(self.masks.keys()).copied().collect();
        let changed = all.into_iter().filter(|camera| before.get(camera) != self.masks.get(camera));
        let changed: Vec<_> = changed.collect();
        // It may show what must not be kept, or has nothing where there is something to be seen now.
        self.usual.retain(|(camera, _), _| !changed.contains(camera));
        changed
    }
    fn masks_of(&self, camera: CameraId) -> Down {
        Down::Masks { camera, masks: self.masks.get(&camera).cloned().unwrap_or_default() }
    }
    /// Notes how a camera usually looks.
    pub fn learn(&mut self, camera: CameraId, reference: Reference) {
        self.usual.insert((camera, reference.light), reference);
    }
    /// How a camera looks now is right.
    ///
    /// # Errors
    /// None in practice: the message is small.
    pub fn accept(&mut self, camera: CameraId, wire: Option<&mut Wire>, now: BootTime) -> Result<(), LinkError> {
        self.usual.retain(|(of, _), _| *of != camera);
        wire.map_or(Ok(()), |wire| wire.say(&Down::ViewAccepted { camera }, now))
    }
    /// Tells the child all it has to know of a camera that begins.
    ///
    /// # Errors
    /// [`LinkError::TooLarge`].
    pub fn introduce(&self, camera: CameraId, wire: &mut Wire, now: BootTime) -> Result<(), LinkError> {
        wire.say(&self.masks_of(camera), now)?;
        for reference in Light::ALL.into_iter().filter_map(|light| self.usual.get(&(camera, light))) {
            wire.say(&Down::Reference { camera, reference: reference.clone() }, now)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{geometry::Polygon, time::MediaTime};

    #[test]
    fn only_cameras_whose_masks_changed_are_told_and_a_removed_mask_is_a_change() {
        let masks = |n: usize| Masks { privacy: vec![Polygon::whole(); n], motion: vec![] };
        let mut sight = Sight::default();
        let [a, b] = [CameraId(1), CameraId(2)];
        assert_eq!(sight.set_masks(BTreeMap::from([(a, masks(1)), (b, masks(1))])), [a, b]);
        assert_eq!(sight.set_masks(BTreeMap::from([(a, masks(1)), (b, masks(2))])), [b]);
        assert_eq!(sight.set_masks(BTreeMap::from([(b, masks(2))])), [a]);
        assert_eq!(sight.masks_of(a), Down::Masks { camera: a, masks: Masks::default() });
        assert_eq!(sight.masks_of(b), Down::Masks { camera: b, masks: masks(2) });
    }

    #[test]
    fn how_a_camera_looked_with_other_masks_or_before_it_was_accepted_is_forgotten() {
        let reference = Reference {
            light: Light::Day,
            pictures: 30,
            time: MediaTime(1),
            size: (1, 1),
            luma: vec![7],
            fine: vec![],
        };
        let mut sight = Sight::default();
        let [a, b] = [CameraId(1), CameraId(2)];
        for camera in [a, b] {
            sight.learn(camera, reference.clone());
        }
        sight.set_masks(BTreeMap::from([(a, Masks { privacy: vec![Polygon::whole()], motion: vec![] })]));
        assert_eq!(sight.usual.keys().collect::<Vec<_>>(), [&(b, Light::Day)]);
        sight.accept(b, None, BootTime(0)).unwrap();
        assert!(sight.usual.is_empty());
    }
}
