//! The parent's book of what the child has to be told of each camera before its first packet, and at each change.

use std::collections::BTreeMap;

use super::{
    link::{Down, LinkError},
    wire::Wire,
};
use crate::{
    domain::{ids::CameraId, mask::Masks, time::BootTime},
    runtime::board::Board,
};

/// The book.
#[derive(Debug, Default)]
pub(super) struct Sight {
    masks: BTreeMap<CameraId, Masks>,
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
                wire.say(&self.introduction(camera), now)?;
                wire.flush();
            }
        }
        Ok(())
    }
    /// Notes the masks in force: the cameras whose masks are others now.
    fn set_masks(&mut self, masks: BTreeMap<CameraId, Masks>) -> Vec<CameraId> {
        let before = std::mem::replace(&mut self.masks, masks);
        let all: std::collections::BTreeSet<_> = before.keys().chain(self.masks.keys()).copied().collect();
        all.into_iter().filter(|camera| before.get(camera) != self.masks.get(camera)).collect()
    }
    /// What the child has to know of that camera.
    pub fn introduction(&self, camera: CameraId) -> Down {
        Down::Masks { camera, masks: self.masks.get(&camera).cloned().unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::geometry::Polygon;

    #[test]
    fn only_cameras_whose_masks_changed_are_told_and_a_removed_mask_is_a_change() {
        let masks = |n: usize| Masks { privacy: vec![Polygon::whole(); n], motion: vec![] };
        let mut sight = Sight::default();
        let [a, b] = [CameraId(1), CameraId(2)];
        assert_eq!(sight.set_masks(BTreeMap::from([(a, masks(1)), (b, masks(1))])), [a, b]);
        assert_eq!(sight.set_masks(BTreeMap::from([(a, masks(1)), (b, masks(2))])), [b]);
        assert_eq!(sight.set_masks(BTreeMap::from([(b, masks(2))])), [a]);
        assert_eq!(sight.introduction(a), Down::Masks { camera: a, masks: Masks::default() });
        assert_eq!(sight.introduction(b), Down::Masks { camera: b, masks: masks(2) });
    }
}
