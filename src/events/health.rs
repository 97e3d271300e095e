//! What is said of cameras' pictures becomes spans in the store, and an alarm as long as one cannot be used.
//!
//! In: the board, on which vision puts what it says. Out: rows of the store, alarms. What the store does not take is
//! tried again with the next look, by then with a newer end; nothing waits in a queue.

use std::{collections::HashMap, sync::Arc, time::Duration};

use crate::{
    domain::{
        alarm::AlarmKind,
        health::{PictureFault, PictureHealth, Reference},
        ids::CameraId,
    },
    runtime::{
        board::{Board, Judged},
        clock::Clock,
        stop::Stop,
        throttle::Throttle,
    },
    store::{Store, StoreError, UNSEEN_US},
};

/// How often the board is looked at: no two things that are said of a camera lie nearer to each other than ten seconds.
const EVERY: Duration = Duration::from_secs(1);

/// What a picture's fault is called and what to do, in Vietnamese and in English.
#[must_use]
pub const fn words(fault: PictureFault) -> (&'static str, &'static str) {
    match fault {
        PictureFault::Black => (
            "Hình đen: quá tối, không thấy gì. Hãy kiểm tra đèn hồng ngoại và nguồn của camera.",
            "The picture is black: too dark to see anything. Check the camera's infra-red light and power.",
        ),
        PictureFault::Overexposed => (
            "Hình cháy sáng: quá nửa hình trắng xóa. Hãy kiểm tra nguồn sáng chiếu vào ống kính và cài đặt phơi sáng.",
            "The picture is over-exposed: half of it or more is white. Check what shines into the lens, and the exposure.",
        ),
        PictureFault::Covered => (
            "Hình bị che: có vật che ống kính. Hãy đến xem camera, gỡ vật che và lau kính.",
            "The picture is covered: something hides the scene. Go to the camera, take it away and clean the glass.",
        ),
        PictureFault::Frozen => (
            "Hình đứng: camera vẫn gửi nhưng hình không đổi. Hãy khởi động lại camera.",
            "The picture is frozen: the camera sends, but nothing changes. Restart the camera.",
        ),
        PictureFault::Moved => (
            "Camera bị xoay lệch: hình không còn khớp với hình mẫu. Hãy chỉnh lại hướng; nếu hướng mới là đúng, bấm \
             “Nhận hình này làm mẫu” ở trang của camera.",
            "The camera was turned: it does not show what it used to. Turn it back; if the new view is right, take it as \
             the reference on the camera's page.",
        ),
        PictureFault::Defocused => (
            "Hình mờ (mất nét). Hãy lau kính và chỉnh nét camera.",
            "The picture is out of focus. Clean the glass and focus the camera.",
        ),
    }
}

/// Works until `stop` is asked; then what was said last is entered.
pub async fn run(store: Store, board: Arc<Board>, clock: Clock, stop: Stop) {
    let mut ledger = Ledger { store, board, clock, kept: HashMap::new(), throttle: Throttle::default() };
    loop {
        ledger.look().await;
        tokio::select! {
            () = stop.asked() => break,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
    ledger.look().await;
}

struct Ledger {
    store: Store,
    board: Arc<Board>,
    clock: Clock,
    /// What was entered last of each camera.
    kept: HashMap<CameraId, PictureHealth>,
    throttle: Throttle,
}

impl Ledger {
    async fn look(&mut self) {
        let now = self.clock.media();
        let all = self.board.all_health();
        let new: Vec<PictureHealth> =
            all.iter().map(|j| j.health).filter(|h| self.kept.get(&h.camera) != Some(h)).collect();
        if !new.is_empty() {
            match self.store.keep_health(&new).await {
                Ok(()) => self.kept.extend(new.into_iter().map(|h| (h.camera, h))),
                Err(error) => self.failed(&error),
            }
        }
        while let Some((camera, reference)) = self.board.take_reference() {
            if let Err(error) = self.store.keep_reference(camera, &reference).await {
                self.failed(&error);
                self.again(camera, reference, &error);
                break;
            }
        }
        let bad: HashMap<CameraId, Judged> = all
            .into_iter()
            .filter(|j| j.health.fault.is_some() && now.since(j.heard) <= UNSEEN_US)
            .map(|j| (j.health.camera, j))
            .collect();
        let up = self.board.alarms().into_iter().filter(|a| a.kind == AlarmKind::PictureUnusable);
        for camera in up.filter_map(|a| a.camera).filter(|camera| !bad.contains_key(camera)) {
            self.board.clear(AlarmKind::PictureUnusable, Some(camera));
        }
        for (camera, judged) in bad {
            let Some(fault) = judged.health.fault else { continue };
            let (vi, en) = words(fault);
            let text = (vi.to_owned(), en.to_owned());
            self.board.raise(AlarmKind::PictureUnusable, Some(camera), 1, text, judged.health.since);
        }
    }
    fn again(&self, camera: CameraId, reference: Reference, error: &StoreError) {
        if !error.is_lasting() {
            self.board.put_reference(camera, reference);
        }
    }
    fn failed(&mut self, error: &StoreError) {
        if let Some(times) = self.throttle.say(1, self.clock.boot()) {
            tracing::warn!(%error, times, "what is said of pictures could not be entered; trying again");
        }
    }
}
