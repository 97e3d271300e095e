//! Privacy masks and motion masks, as the real child and the real program apply them.

mod common;

use common::{
    film::{CAMERA, Film, HEIGHT, Stage, WIDTH, read},
    house::{Cameras, House},
    wait,
};
use image::RgbImage;
use serde_json::json;
use vonglau::{
    domain::{
        geometry::{NormBox, Polygon},
        mask::Masks,
        packet::Codec,
        track::FrameSeen,
    },
    runtime::ask::{SnapshotAsk, StillAsk},
};

/// The upper left and the lower right part of the picture, drawn and masked by these corners.
const UPPER_LEFT: [f32; 4] = [0.0, 0.0, 0.4, 0.5];
const LOWER_RIGHT: [f32; 4] = [0.5, 0.5, 1.0, 1.0];

fn area([x0, y0, x1, y1]: [f32; 4]) -> Polygon {
    Polygon::new([[x0, y0], [x1, y0], [x1, y1], [x0, y1]].map(Into::into).to_vec()).unwrap()
}

/// A board of light and dark fields; a bright square walks in each of the two parts.
fn drawn(index: u64) -> Vec<u8> {
    let (w, h) = (WIDTH as usize, HEIGHT as usize);
    let mut data = vec![128u8; w * h * 3 / 2];
    for y in 0..h {
        for x in 0..w {
            data[y * w + x] = if (x / 20 + y / 20) % 2 == 0 { 90 } else { 150 };
        }
    }
    let step = 3 * index as usize;
    for (left, top) in [(10 + step, 20), (170 + step, 110)] {
        for y in top..top + 30 {
            data[y * w + left..y * w + left + 30].fill(230);
        }
    }
    data
}

/// Whether every pixel of the area is black, or none is; some pixels at its edge left out, where JPEG mixes both sides.
fn blackened(picture: &RgbImage, [x0, y0, x1, y1]: [f32; 4]) -> bool {
    let (w, h) = (picture.width() as f32, picture.height() as f32);
    let inner = |from: f32, to: f32| (from as u32 + 9)..(to as u32 - 9);
    let black: Vec<_> = inner(y0 * h, y1 * h)
        .flat_map(|y| inner(x0 * w, x1 * w).map(move |x| (x, y)))
        .map(|(x, y)| picture.get_pixel(x, y).0.iter().all(|v| *v < 12))
        .collect();
    assert!(
        black.iter().all(|b| *b == black[0]),
        "{} of {} are black",
        black.iter().filter(|b| **b).count(),
        black.len()
    );
    black[0]
}

/// Parts of the picture in which something moved.
fn moved_in(seen: &[FrameSeen], part: [f32; 4]) -> bool {
    let zone = area(part);
    seen.iter().flat_map(|f| &f.motion).any(|b: &NormBox| zone.contains(b.centre()))
}

fn kill(pid: u32) {
    assert!(std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_child_shows_nothing_under_a_privacy_mask_and_sees_no_motion_under_either() {
    let film = Film::draw(30, 5, drawn);
    let masked = |privacy: [f32; 4], motion: Vec<Polygon>| {
        std::collections::BTreeMap::from([(CAMERA, Masks { privacy: vec![area(privacy)], motion })])
    };
    let mut stage = Stage::open(|vision| vision.masks(masked(UPPER_LEFT, vec![area(LOWER_RIGHT)])));
    stage.runs().await;
    let begin = stage.time;
    let seen = stage.play(&film).await;
    // A decoder gives some out together, and of those only the newest is looked at.
    assert!(seen.len() >= 5, "{} frames seen", seen.len());
    assert!(seen.iter().all(|f| f.motion.is_empty()), "motion under a mask");
    let picture = stage.picture(begin, &film).await;
    assert_eq!((blackened(&picture, UPPER_LEFT), blackened(&picture, LOWER_RIGHT)), (true, false));

    // Other masks hold at once, without a new start of anything.
    let child = stage.vision.pid();
    stage.vision.masks(masked(LOWER_RIGHT, vec![]));
    let begin = stage.time;
    let seen = stage.play(&film).await;
    assert_eq!((moved_in(&seen, UPPER_LEFT), moved_in(&seen, LOWER_RIGHT)), (true, false));
    let picture = stage.picture(begin, &film).await;
    assert_eq!((blackened(&picture, UPPER_LEFT), blackened(&picture, LOWER_RIGHT)), (false, true));
    let (reply, answer) = tokio::sync::oneshot::channel();
    let time = seen.iter().rfind(|f| !f.motion.is_empty()).expect("something moved").time;
    stage.out.snapshots.send(SnapshotAsk { camera: CAMERA, time, boxes: vec![], reply }).await.unwrap();
    let snapshot = wait::done(answer).await.unwrap();
    for jpeg in [&snapshot.plain, &snapshot.boxed] {
        assert_eq!((blackened(&read(jpeg), UPPER_LEFT), blackened(&read(jpeg), LOWER_RIGHT)), (false, true));
    }

    // What the kept frames showed before a mask came is not given out after it.
    stage.vision.masks(masked(UPPER_LEFT, vec![]));
    let (reply, answer) = tokio::sync::oneshot::channel();
    stage.out.snapshots.send(SnapshotAsk { camera: CAMERA, time, boxes: vec![], reply }).await.unwrap();
    let kept = wait::done(answer).await.expect("it is still kept");
    assert!(blackened(&read(&kept.plain), UPPER_LEFT), "a frame of before the mask is shown");

    // A new child knows them too.
    assert_eq!(stage.vision.pid(), child);
    kill(child.unwrap());
    wait::holds(async || stage.vision.pid().is_some_and(|pid| Some(pid) != child)).await;
    let begin = stage.time;
    // Whoever was there when a child died is let in again a little later.
    let mut again = false;
    for _ in 0..20 {
        let seen = stage.play(&film).await;
        assert!(!moved_in(&seen, UPPER_LEFT), "motion under a mask");
        again |= moved_in(&seen, LOWER_RIGHT);
        if again {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    assert!(again, "the new child sees nothing");
    assert!(blackened(&stage.picture(begin, &film).await, UPPER_LEFT));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_of_a_recording_is_masked_as_asked() {
    let film = Film::draw(3, 5, drawn);
    let stage = Stage::open(|_| {});
    stage.runs().await;
    let mut asked = 0;
    for (privacy, hidden) in [(vec![], false), (vec![area(UPPER_LEFT)], true)] {
        // A child that is still starting gives none.
        let picture = loop {
            let (reply, answer) = tokio::sync::oneshot::channel();
            let (decoder_config, data) = film.key_frame();
            let ask = StillAsk { codec: Codec::H264, decoder_config, data, privacy: privacy.clone(), reply };
            stage.out.stills.send(ask).await.unwrap();
            if let Ok(jpeg) = wait::done(answer).await {
                break read(&jpeg);
            }
            asked += 1;
            assert!(asked < 20, "no picture comes");
        };
        assert_eq!((blackened(&picture, UPPER_LEFT), blackened(&picture, LOWER_RIGHT)), (hidden, false));
    }
    stage.end().await;
}

/// The sky of a drawn street is never black by itself.
const SKY: [f32; 4] = [0.1, 0.0, 0.6, 0.2];

#[test]
fn a_mask_drawn_on_the_page_holds_at_once_for_new_and_for_recorded_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let cameras = Cameras::start(&["--cameras", "1"]);
    let house = House::start(folder.path(), &[]);
    let id = house.add_cameras(&cameras.urls)[0];
    let picture = |h: &House, query: &str| {
        let (status, jpeg) = h.get_bytes(&format!("/api/v1/cameras/{id}/picture.jpg{query}"));
        (status == 200).then(|| read(&jpeg))
    };
    house.wait_until_recorded(150);
    let recorded = |h: &House, at: &str, hidden: bool| {
        // While a loaded machine decodes none there is none; one that comes must be right.
        h.wait_until("there is a recorded picture", |h| {
            picture(h, at).is_some_and(|p| {
                assert_eq!(blackened(&p, SKY), hidden, "a picture of other masks is shown");
                true
            })
        });
    };
    house.wait_until("there is a picture", |h| picture(h, "").is_some_and(|p| !blackened(&p, SKY)));
    let at = format!("?at={}", common::house::now_us() - 1_000_000);
    recorded(&house, &at, false);
    let shape = json!({ "camera": id, "kind": "privacy_mask", "name": "Nhà ông Ba", "points": area(SKY) });
    let (status, made) = house.post("/api/v1/shapes", &shape);
    assert_eq!(status, 201, "{made}");
    recorded(&house, &at, true);
    house.wait_until("the mask is there", |h| picture(h, "").is_some_and(|p| blackened(&p, SKY)));
    // Changed to another kind it hides nothing any more.
    let path = format!("/api/v1/shapes/{}", made["id"]);
    let (status, _) =
        house.put(&path, &json!({ "camera": id, "kind": "motion_mask", "name": "Cây", "points": area(SKY) }));
    assert_eq!(status, 200);
    house.wait_until("the mask is gone", |h| picture(h, "").is_some_and(|p| !blackened(&p, SKY)));
    recorded(&house, &at, false);
    house.stop();
}
