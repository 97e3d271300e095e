//! Cameras that fail, through the real program: what one camera does costs no other one a unit, and what came back is
//! recorded again. Figures are printed as `measured:` lines; nothing about speed is asserted.

mod common;

use common::{
    drill::{Drill, after, fault, say},
    house::now_us,
};
use vonglau::domain::camera::StreamKind;

#[tokio::test]
async fn cameras_that_are_stopped_are_found_and_recorded_again_when_they_go_on() {
    let drill = Drill::start(4, "", &[]);
    drill.cameras.program.signal("STOP");
    let stopped_us = now_us();
    let found = drill.wait_until_broken(|_| true);
    assert!(found.values().all(|(_, why)| why.contains("no picture for")), "{found:?}");
    drill.cameras.program.signal("CONT");
    let going_us = now_us();
    drill.wait_until_streaming_again(|_| true);
    let outcome = drill.end().await;
    say("SIGSTOP of the cameras, stall found", &after(&found, stopped_us));
    say("SIGCONT of the cameras, recorded again", &outcome.back_after(going_us, |_| true));
}

#[tokio::test]
async fn thirty_seven_cameras_that_reboot_at_once_all_come_back_with_pictures_of_another_size() {
    const AT: f64 = 20.0;
    const SECONDS: f64 = 6.0;
    let script = fault(AT, None, "reboot", SECONDS) + "params = true\n";
    let drill = Drill::start(37, &script, &[]);
    let found = drill.wait_until_broken(|_| true);
    drill.wait_for_second(AT + SECONDS);
    drill.wait_until_streaming_again(|_| true);
    let [from_us, until_us] = [AT, AT + SECONDS].map(|s| drill.at_us(s));
    let outcome = drill.end().await;
    for (key, widths) in &outcome.widths {
        let [before, after] = if key.1 == StreamKind::Main { [320, 160] } else { [160, 80] };
        assert!(widths.contains(&before) && widths.last() == Some(&after), "{key:?}: {widths:?}");
    }
    say("reboot of 37 cameras, break found", &after(&found, from_us));
    say("reboot of 37 cameras, recorded again after they serve", &outcome.back_after(until_us, |_| true));
}

#[tokio::test]
async fn what_goes_wrong_with_one_camera_costs_no_other_one_a_unit() {
    const AT: f64 = 15.0;
    const SECONDS: f64 = 8.0;
    let kinds = ["silence", "close", "reboot", "garbage", "slow", "no_key", "unauthorized"];
    let script: String = kinds.iter().zip(3..).map(|(kind, camera)| fault(AT, Some(camera), kind, SECONDS)).collect();
    let drill = Drill::start(9, &script, &[]);
    // Without key frames pictures go on.
    let broken = drill.wait_until_broken(|(camera, _)| camera > 2 && camera != 8);
    for (key, (_, why)) in &broken {
        println!("{key:?} {}: {why}", kinds[key.0 as usize - 3]);
    }
    drill.house.wait_until("the refused login is named", |_| {
        drill.states().iter().all(|(key, (_, why))| key.0 != 9 || why.contains("login"))
    });
    drill.wait_for_second(AT + SECONDS);
    // A refused login is not tried again for ten minutes.
    drill.wait_until_streaming_again(|(camera, _)| camera != 9);
    let [from_us, until_us] = [AT, AT + SECONDS].map(|s| drill.at_us(s));
    let outcome = drill.end().await;
    outcome.assert_untouched(&[1, 2, 8]);
    for (kind, camera) in kinds.iter().zip(3..).filter(|(_, camera)| *camera != 8) {
        let of: Vec<f64> = after(&broken, from_us);
        let of: Vec<f64> = broken.keys().zip(of).filter(|(key, _)| key.0 == camera).map(|(_, s)| s).collect();
        say(&format!("{kind} of one camera, found"), &of);
        if camera != 9 {
            let back = outcome.back_after(until_us, |key| key.0 == camera);
            say(&format!("{kind} of one camera, recorded again after it serves"), &back);
        }
    }
}
