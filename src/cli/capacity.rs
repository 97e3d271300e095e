//! What the running service says of its analysis, for `check`: how much fits, how far behind it is, what was skipped.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::check::Report;

/// How long the service may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most of an answer that is read, bytes.
const ANSWER_MAX: u64 = 4 << 20;
/// Analysed frames older than this are worth a word, microseconds.
const LAG_US: i64 = 10_000_000;

/// `GET /api/v1/status` of the service at that address. HTTP/1.0, so that the answer ends with the connection.
async fn status(listen: SocketAddr) -> anyhow::Result<Value> {
    let mut socket = TcpStream::connect(listen).await?;
    socket.write_all(b"GET /api/v1/status HTTP/1.0\r\nHost: localhost\r\n\r\n").await?;
    let mut answer = Vec::new();
    socket.take(ANSWER_MAX).read_to_end(&mut answer).await?;
    let body = answer.windows(4).position(|w| w == b"\r\n\r\n").map_or(&[][..], |at| &answer[at + 4..]);
    Ok(serde_json::from_slice(body)?)
}

/// Says what the service at that address can do and does.
pub(super) async fn check(listen: SocketAddr, report: &mut Report) {
    const WHAT: &str = "phân tích/analysis";
    let vision = match tokio::time::timeout(PATIENCE, status(listen)).await {
        Ok(Ok(status)) => status["vision"].clone(),
        Ok(Err(error)) => return report.note(WHAT, format!("http://{listen}/: {error:#}")),
        Err(_) => return report.note(WHAT, format!("http://{listen}/: không trả lời / no answer")),
    };
    if vision["running"] != true {
        let why = vision["why"].as_str().unwrap_or("--record-only");
        return report.note(WHAT, format!("không chạy, vẫn ghi hình / does not run, recording goes on: {why}"));
    }
    let capacity = &vision["capacity"];
    let said = live(capacity);
    if capacity["lag_us"].as_i64().is_some_and(|lag| lag > LAG_US) {
        report.wrong(WHAT, format!("chậm / behind: {said}"));
    } else {
        report.fine(WHAT, said);
    }
    for note in vision["notes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        report.note(WHAT, note);
    }
    for (camera, flow) in capacity["cameras"].as_object().into_iter().flatten() {
        report.fine(&format!("{WHAT} camera {camera}"), of_camera(flow));
    }
}

fn live(capacity: &Value) -> String {
    let number = |key: &str| capacity[key].as_f64().unwrap_or(0.0);
    let spare = match (capacity["inference_us"].as_f64(), capacity["spare_per_second"].as_f64()) {
        (Some(cost), Some(spare)) => {
            format!("{:.1} ms/hình/frame, còn dư/spare {spare:.0}/s", cost / 1e3)
        }
        _ => "chỉ chuyển động/motion only".to_owned(),
    };
    format!(
        "bận/busy {:.0} %, trễ/lag {:.1} s, nhận dạng/inferences {}/{}, {spare}, {} hình/frames/s",
        number("busy") * 100.0,
        number("lag_us") / 1e6,
        capacity["inferences_done"],
        capacity["inferences_asked"],
        number("frames_per_second"),
    )
}

fn of_camera(flow: &Value) -> String {
    let skipped: Vec<String> = flow["skipped"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, times)| times.as_u64() != Some(0))
        .map(|(why, times)| format!("{why} {times}"))
        .collect();
    format!(
        "gói/packets {}, giải mã/decoded {}, phân tích/analysed {}, bỏ/skipped: {}",
        flow["received"],
        flow["decoded"],
        flow["analysed"],
        if skipped.is_empty() { "0".to_owned() } else { skipped.join(", ") },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_what_fits_and_what_was_skipped() {
        let capacity = serde_json::json!({
            "busy": 0.25, "lag_us": 400_000, "inferences_done": 90, "inferences_asked": 100, "inference_us": 25_000,
            "spare_per_second": 30.0, "frames_per_second": 5.0,
        });
        let said = live(&capacity);
        for part in ["busy 25 %", "lag 0.4 s", "90/100", "25.0 ms", "spare 30/s", "5 hình"] {
            assert!(said.contains(part), "{said}");
        }
        let flow = serde_json::json!({
            "received": 300, "decoded": 200, "analysed": 60, "skipped": {"queue_full": 0, "suspect": 100, "rate": 140},
        });
        assert!(of_camera(&flow).ends_with("skipped: rate 140, suspect 100"), "{}", of_camera(&flow));
    }
}
