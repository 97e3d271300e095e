//! Tracks as they are kept, end to end: a drawn figure over real RTSP through the real program and a detector made here,
//! and back out as class, colours by part, size, pictures and path.

mod common;

use std::{path::Path, process::Command};

use common::{
    house::{Cameras, House},
    wait,
};
use serde_json::Value;

/// The picture.
const SIZE: (f64, f64) = (640.0, 360.0);
/// How fast the figure goes to the right, pixels a second.
const SPEED: f64 = 90.0;
/// Side of the box that the detector draws, and where its middle lies from above, pixels.
const SIDE: f64 = 200.0;
const MIDDLE: f64 = 180.0;
/// The detector knows its place to half a cell of its grid, and time is a frame off, pixels.
const SLACK: f64 = 40.0;

/// A figure that goes through a grey picture from second 2 to 11: green above, blue below, and in its middle the red that
/// the detector looks for.
fn write_figure(file: &Path) {
    let at = |x: u32, y: u32| format!("overlay=x='90*(t-2)-180+{x}':y={y}:enable='between(t,2,11)'");
    let over = format!("[0][1]{}[a];[a][2]{}[b];[b][3]{}", at(0, 82), at(0, 180), at(58, 160));
    let colour = |name: &str, size: &str| format!("color={name}:s={size}:r=10:d=14");
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error"]);
    for (name, size) in [("gray", "640x360"), ("0x20a040", "160x98"), ("0x2040c0", "160x98"), ("red", "44x44")] {
        command.args(["-f", "lavfi", "-i", &colour(name, size)]);
    }
    let made =
        wait::output(command.args(["-filter_complex", &over, "-c:v", "libx264", "-pix_fmt", "yuv420p"]).arg(file));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn tracks(house: &House, query: &str) -> Vec<Value> {
    house.get(&format!("/api/v1/tracks{query}"))["tracks"].as_array().expect("tracks").clone()
}

/// Red, green, blue of a place in a picture, 0..=1 from left and top.
fn pixel(picture: &image::RgbImage, x: f32, y: f32) -> [i32; 3] {
    let at = |part: f32, of: u32| ((part * of as f32) as u32).min(of - 1);
    picture.get_pixel(at(x, picture.width()), at(y, picture.height())).0.map(i32::from)
}

#[test]
fn a_figure_is_found_while_it_is_there_and_afterwards_by_its_colours_with_picture_and_path() {
    let folder = tempfile::tempdir().expect("a folder");
    let video = folder.path().join("figure.mp4");
    write_figure(&video);
    let data = folder.path().join("data");
    std::fs::create_dir_all(data.join("models")).expect("a folder");
    let model = common::onnx::red_detector_around(Some("{0: 'person', 1: 'car'}"), SIDE as f32 / 44.0);
    std::fs::write(data.join("models/red.onnx"), &model).expect("the model is written");
    let cameras = Cameras::start(&["--cameras", "1", "--video", &video.display().to_string()]);
    let house = House::start(&data, &[]);
    house.add_cameras(&cameras.urls);

    let going_on = |h: &House| tracks(h, "").into_iter().any(|t| t["open"] == true && t["pictures"][0] == "largest");
    house.wait_until("a track that goes on can be found, with a picture", |h| going_on(h));
    // One seen from its beginning: what was there when the program started may have been in the middle of the picture.
    let from_left = |t: &Value| t["open"] == false && path(&house, t)[0].1 < SIDE;
    house.wait_until("a whole one is over", |h| tracks(h, "?upper=green&lower=blue").iter().any(from_left));
    let track =
        tracks(&house, "?upper=green&lower=blue").into_iter().find(|t| from_left(t)).expect("it is still there");
    println!("{track}");

    assert_eq!(track["class"], "person");
    let (votes, points) =
        (track["votes"]["person"].as_u64().expect("votes"), track["points"].as_u64().expect("points"));
    assert!(votes > 6 && votes <= points, "{votes} of {points}");
    assert!(track["identity"].as_f64().expect("a number") > 0.8, "nobody else was there");
    for (part, colour) in [(0, "green"), (1, "blue")] {
        let best = &track["colours"][part]["shares"][0];
        assert!(best["colour"] == colour && best["share"].as_f64() > Some(0.6), "{}", track["colours"]);
    }
    for side in ["width_px", "height_px"] {
        let px = track[side].as_f64().expect("a size");
        // What is red is measured in cells of the detector's grid.
        assert!((px - SIDE).abs() <= SLACK, "{side}: {px}");
    }
    for other in ["?upper=blue", "?lower=green", "?body=green", "?class=car"] {
        assert!(tracks(&house, other).is_empty(), "{other}");
    }

    let (status, jpeg) = house.get_bytes(&format!("/api/v1/tracks/{}/picture.jpg", track["id"]));
    assert_eq!(status, 200);
    assert!(jpeg.len() <= 12 << 10, "{} bytes", jpeg.len());
    let picture = image::load_from_memory_with_format(&jpeg, image::ImageFormat::Jpeg).expect("a JPEG").to_rgb8();
    assert!(picture.width().max(picture.height()) <= 192 && picture.height() > 150, "{:?}", picture.dimensions());
    let [above, middle, below] = [0.3, 0.5, 0.7].map(|y| pixel(&picture, 0.5, y));
    assert!(above[1] > above[0] + 40 && above[1] > above[2] + 40, "not green above: {above:?}");
    assert!(middle[0] > middle[1] + 60 && middle[0] > middle[2] + 60, "not red in the middle: {middle:?}");
    assert!(below[2] > below[0] + 60 && below[2] > below[1] + 60, "not blue below: {below:?}");

    let way = path(&house, &track);
    assert!(way.len() >= 3, "{way:?}");
    for (seconds, x, y) in &way {
        let expected = way[0].1 + SPEED * (seconds - way[0].0);
        // At the picture's edges the box is cut, so that its middle is not the figure's.
        if (SIDE / 2.0..SIZE.0 - SIDE / 2.0).contains(x) && way[0].1 >= SIDE / 2.0 {
            assert!((x - expected).abs() <= SLACK * 2.0, "{x} and not {expected}: {way:?}");
        }
        assert!((y - MIDDLE).abs() <= SLACK / 2.0, "{way:?}");
    }
    let (first, last) = (way[0], way[way.len() - 1]);
    assert!(last.1 - first.1 > 250.0, "it went through the picture: {way:?}");
    let sent = track["start_us"].as_f64().expect("a start") / 1e6;
    assert!((first.0 - sent).abs() < 0.002, "the path begins with the track");
    assert_eq!(house.counter("crops_lost"), 0);

    house.stop();
    cameras.program.end();
    // All that was still going on is closed, so that no restart takes it for alive.
    let database = data.join("vonglau.db");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = vonglau::store::Store::open(&database).await.expect("the database");
        let all = store.tracks(&Default::default(), None, 100).await.expect("tracks");
        assert!(!all.is_empty() && all.iter().all(|t| !t.open), "{all:?}");
        store.close().await;
    });
}

/// The middle of a track's box over time: seconds, pixels from left and from above.
fn path(house: &House, track: &Value) -> Vec<(f64, f64, f64)> {
    let path = house.get(&format!("/api/v1/tracks/{}/path", track["id"]));
    assert!(path["error"].as_f64().expect("a bound") < 0.01, "{path}");
    let place = |point: &Value| {
        let corner = |i: usize| point["box"][i].as_f64().expect("a corner");
        let middle = |a: usize, b: usize, of: f64| (corner(a) + corner(b)) / 2.0 * of;
        (point["time_us"].as_f64().expect("a time") / 1e6, middle(0, 2, SIZE.0), middle(1, 3, SIZE.1))
    };
    path["points"].as_array().expect("points").iter().map(place).collect()
}
