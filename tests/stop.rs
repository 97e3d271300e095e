//! A signal stops the sources, drains what they sent, and a second start goes on.

mod common;

use common::house::{Cameras, House};

#[test]
fn a_signal_drains_every_received_packet_to_disk_and_a_second_start_goes_on() {
    let cameras = Cameras::start(&["--cameras", "2", "--size", "320x180", "--sub-size", "320x180", "--bitrate", "300"]);
    let data = tempfile::tempdir().expect("a folder");

    let house = House::start(data.path(), &[]);
    house.add_cameras(&cameras.urls);
    house.wait_until_recorded(100);
    let first = house.stop();
    assert_eq!(first["cameras"], 2);
    assert_eq!(first["packets_received"], first["packets_recorded"], "{first}");

    let house = House::start(data.path(), &[]);
    let cameras_now = house.get("/api/v1/cameras");
    assert_eq!(cameras_now["cameras"].as_array().map(Vec::len), Some(2), "the cameras are still there");
    house.wait_until_recorded(100);
    let second = house.stop();
    assert_eq!(second["packets_received"], second["packets_recorded"], "{second}");
    cameras.program.end();
}

#[test]
fn it_stops_well_while_a_camera_is_away_and_a_page_listens() {
    let data = tempfile::tempdir().expect("a folder");
    let house = House::start(data.path(), &[]);
    // Nobody listens on port 9 (discard) here.
    house.add_cameras(&[("rtsp://127.0.0.1:9/main".into(), "rtsp://127.0.0.1:9/sub".into())]);
    house.wait_until("the camera is retried", |h| {
        h.get("/api/v1/cameras")["cameras"][0]["streams"][0]["status"]["state"] == "retrying"
    });
    let address = house.base.trim_start_matches("http://").to_owned();
    let mut listener = std::net::TcpStream::connect(&address).expect("a connection");
    let ask = format!("GET /api/v1/changes HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n\r\n");
    std::io::Write::write_all(&mut listener, ask.as_bytes()).expect("a request");
    listener.set_read_timeout(Some(common::wait::HANGING)).expect("a bound for hanging");
    let mut first = [0; 15];
    std::io::Read::read_exact(&mut listener, &mut first).expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    house.stop();
}
