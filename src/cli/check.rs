//! `vonglau check`: what is fine, what is not, what to do. Exit code 0 when everything is fine, 1 otherwise.

use std::process::ExitCode;

use super::{PlaceArgs, capacity, start_log, ways, without_telemetry};
use crate::{
    app, camera,
    config::{self, Config},
    domain::{
        alarm::Alarm,
        camera::{Camera, Trouble, TroubleCause},
    },
    record,
    store::Store,
    vision,
};

/// Prints findings and remembers whether one was bad.
#[derive(Default)]
pub(super) struct Report {
    bad: bool,
}

impl Report {
    pub(super) fn fine(&self, what: &str, found: impl std::fmt::Display) {
        say!("[tốt/ok]   {what}: {found}");
    }
    pub(super) fn note(&self, what: &str, found: impl std::fmt::Display) {
        say!("[lưu ý/note] {what}: {found}");
    }
    pub(super) fn wrong(&mut self, what: &str, found: impl std::fmt::Display) {
        self.bad = true;
        say!("[hỏng/bad] {what}: {found}");
    }
}

/// Below this share of free space the disk is said to be nearly full.
const FREE_LEAST: f64 = 0.05;

pub(super) async fn run(args: PlaceArgs) -> anyhow::Result<ExitCode> {
    without_telemetry()?;
    start_log("error");
    let mut report = Report::default();
    let config = match args.load(None) {
        Ok(config) => config,
        Err(error) => {
            for line in error.to_string().lines() {
                report.wrong("cấu hình/config", line);
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    match config::check_listen(config.listen) {
        Ok(()) => report.fine("cấu hình/config", format!("trang web/pages http://{}/", config.listen)),
        Err(refusal) => report.wrong("cấu hình/config", refusal),
    }
    check_model(&config, &mut report);
    ways::check(&mut report);
    match app::open_store_there(&config.data).await {
        Ok(store) => {
            report.fine("dữ liệu/database", config.data.join("vonglau.db").display());
            check_disk(&config, &store, &mut report).await;
            check_alarms(&config, &store, &mut report).await;
            if app::is_running(&config.data) {
                capacity::check(config.listen, &mut report).await;
            }
            check_cameras(&store, &mut report).await;
            store.close().await;
        }
        Err(error) => report.wrong("dữ liệu/database", format!("{error:#}")),
    }
    Ok(if report.bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn check_model(config: &Config, report: &mut Report) {
    const WHAT: &str = "bộ nhận dạng/detector";
    match vision::detect::runtime::library() {
        (Some(path), _) => report.fine("ONNX Runtime", path.display()),
        (None, looked) => {
            let looked: Vec<String> = looked.iter().map(|p| p.display().to_string()).collect();
            report.wrong(
                "ONNX Runtime",
                format!(
                    "không tìm thấy libonnxruntime.so; chạy ./dev setup / not found; run ./dev setup ({})",
                    looked.join(", ")
                ),
            );
        }
    }
    match app::find_model(&config.model, &config.data) {
        Ok(Some(model)) => match vision::analyze::try_model(&model) {
            Ok(described) => report.fine(WHAT, described),
            Err(refusal) => report.wrong(WHAT, refusal),
        },
        Ok(None) => report.note(
            WHAT,
            "tắt trong cấu hình (model = \"none\"); vẫn ghi hình và tìm chuyển động / off in the configuration; recording and motion \
             work",
        ),
        Err(refusal) => report.wrong(WHAT, refusal),
    }
    for extra in vision::classifier::from_folder(&config.data.join("models")) {
        const WHAT: &str = "mô hình phụ/extra model";
        let loaded = extra
            .map_err(|(_, refusal)| refusal)
            .and_then(|model| vision::classifier::Classifier::load(&model.bytes, &model.spec).map(|_| model.spec.file));
        match loaded {
            Ok(file) => report.fine(WHAT, file),
            Err(refusal) => report.wrong(WHAT, refusal),
        }
    }
}

async fn check_disk(config: &Config, store: &Store, report: &mut Report) {
    const WHAT: &str = "ổ đĩa/disk";
    let (site, totals) = (store.site_uuid().await, store.segment_totals().await);
    let known = totals.as_ref().is_ok_and(|(segments, _)| *segments > 0);
    if let Ok(site) = site
        && let Err(refusal) = record::look_at(&config.store, &site, known)
    {
        return report.wrong(WHAT, refusal);
    }
    // A folder that is to be made lies on the disk of what is there of its path.
    let there = config.store.ancestors().find(|path| path.exists()).unwrap_or(&config.store);
    match rustix::fs::statvfs(there) {
        Ok(fs) => {
            let (free, all) = (fs.f_bavail as f64 * fs.f_frsize as f64, fs.f_blocks as f64 * fs.f_frsize as f64);
            let said = format!("{}: còn trống/free {:.1} GB / {:.1} GB", config.store.display(), free / 1e9, all / 1e9);
            if free < all * FREE_LEAST {
                report.wrong(
                    WHAT,
                    format!("{said}: gần đầy, hãy dọn hoặc thêm ổ / nearly full, make room or add a disk"),
                );
            } else {
                report.fine(WHAT, said);
            }
        }
        Err(error) => report.wrong(WHAT, format!("{}: {error}", config.store.display())),
    }
    if let Ok((segments, bytes)) = totals {
        report.fine("đã ghi/recorded", format!("{segments} tệp/files, {:.2} GB", bytes as f64 / 1e9));
    }
}

/// What the service said and nobody has seen; while it runs, also what is wrong right now.
async fn check_alarms(config: &Config, store: &Store, report: &mut Report) {
    const WHAT: &str = "báo động/alarm";
    let runs = app::is_running(&config.data);
    match store.alarms().await {
        Ok(alarms) => {
            for Alarm { times, text_vi, text_en, .. } in alarms.iter().filter(|a| runs || a.kind.is_until_seen()) {
                report.wrong(WHAT, format!("{text_vi} / {text_en} (×{times})"));
            }
        }
        Err(error) => report.wrong(WHAT, error),
    }
}

async fn check_cameras(store: &Store, report: &mut Report) {
    let cameras = match store.cameras().await {
        Ok(cameras) => cameras,
        Err(error) => return report.wrong("camera", error),
    };
    if cameras.is_empty() {
        report.note("camera", "chưa có camera nào / no cameras yet");
    }
    for camera in &cameras {
        check_camera(camera, report).await;
    }
}

async fn check_camera(camera: &Camera, report: &mut Report) {
    for stream in &camera.streams {
        let what = format!("{} {} ({})", camera.code, camera.name, stream.kind.name());
        match camera::probe(&stream.url, &stream.username, &stream.password).await {
            Ok(found) => {
                report.fine(&what, format!("{} {}×{}", found.codec.name(), found.width, found.height));
            }
            Err(trouble) => report.wrong(&what, remedy(&trouble)),
        }
    }
}

fn remedy(trouble: &Trouble) -> String {
    let (vi, en) = match trouble.cause {
        TroubleCause::Network => (
            "không kết nối được; kiểm tra điện, dây mạng và địa chỉ của camera",
            "cannot be reached; check its power, its cable and its address",
        ),
        TroubleCause::Camera => (
            "trả lời không đúng; kiểm tra đường dẫn luồng và khởi động lại camera",
            "answers wrongly; check the stream's path and restart the camera",
        ),
        TroubleCause::Login => ("sai tên hoặc mật khẩu; nhập lại", "the login is refused; enter it again"),
    };
    format!("{vi} / {en} [{}]", trouble.detail)
}
