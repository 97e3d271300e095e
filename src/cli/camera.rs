//! `vonglau camera add|import|list|remove`: the same use cases as the page, straight on the database. A serving
//! process sees the change within a second.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, Subcommand};
use serde::Deserialize;

use super::{PlaceArgs, actor, refused, start_log};
use crate::{
    app,
    domain::{
        camera::{Camera, CameraDraft, Secret, StreamKind},
        refusal::Refusal,
    },
    runtime::clock::Clock,
    store::Store,
};

#[derive(Debug, Subcommand)]
pub(super) enum CameraCommand {
    /// Thêm một camera / Add one camera
    Add(AddArgs),
    /// Nhập danh sách camera từ tệp TOML / Add all cameras of a TOML list: [[camera]] name, main_url, sub_url, …
    Import {
        #[command(flatten)]
        place: PlaceArgs,
        /// Tệp danh sách / The list
        file: PathBuf,
    },
    /// Liệt kê camera / List the cameras
    List {
        #[command(flatten)]
        place: PlaceArgs,
        /// In JSON / As JSON
        #[arg(long)]
        json: bool,
    },
    /// Gỡ một camera; hình đã ghi vẫn giữ / Remove a camera; what it recorded stays
    Remove {
        #[command(flatten)]
        place: PlaceArgs,
        /// Mã camera, ví dụ C07 / The camera's code, such as C07
        code: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Tên camera / Its name
    #[arg(long)]
    name: String,
    /// Địa chỉ luồng chính rtsp://… / Address of the main stream
    #[arg(long, value_name = "URL")]
    main_url: String,
    /// Địa chỉ luồng phụ / Address of the sub stream
    #[arg(long, value_name = "URL", default_value = "")]
    sub_url: String,
    /// Tên đăng nhập / Login name
    #[arg(long, default_value = "")]
    username: String,
    /// Tệp chứa mật khẩu (không nhận mật khẩu trên dòng lệnh vì người khác đọc được) / File that holds the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Mã; để trống thì máy đặt / Code; empty: the next free one
    #[arg(long, default_value = "")]
    code: String,
    /// Cụm / Cluster
    #[arg(long, default_value = "")]
    cluster: String,
    /// Thôn / Hamlet
    #[arg(long, default_value = "")]
    hamlet: String,
    /// Chỉ ghi luồng phụ (đường truyền yếu) / Record the sub stream only (a thin line)
    #[arg(long)]
    sub_only: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportList {
    #[serde(default)]
    camera: Vec<CameraDraft>,
}

pub(super) async fn run(command: CameraCommand) -> anyhow::Result<ExitCode> {
    start_log("warn");
    match command {
        CameraCommand::Add(args) => add(args).await?,
        CameraCommand::Import { place, file } => {
            import(&app::open_store(&place.load(None)?.data).await?, &file).await?
        }
        CameraCommand::List { place, json } => list(&there(&place).await?, json).await?,
        CameraCommand::Remove { place, code } => remove(&there(&place).await?, &code).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn there(place: &PlaceArgs) -> anyhow::Result<Store> {
    app::open_store_there(&place.load(None)?.data).await
}

async fn add(args: AddArgs) -> anyhow::Result<()> {
    let password = match &args.password_file {
        None => None,
        Some(file) => {
            let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
            Some(Secret::new(text.trim_end_matches(['\r', '\n'])))
        }
    };
    let draft = CameraDraft {
        name: args.name,
        code: args.code,
        main_url: args.main_url,
        sub_url: args.sub_url,
        username: args.username,
        password,
        cluster: args.cluster,
        hamlet: args.hamlet,
        record_main: Some(!args.sub_only),
    };
    let camera = draft.checked().map_err(refused)?;
    let store = app::open_store(&args.place.load(None)?.data).await?;
    let id = store.add_camera(&actor(), &camera, Clock::machine().wall()).await?;
    let code = store.camera(id).await?.map_or_else(|| id.to_string(), |c| c.code);
    store.close().await;
    say!("{code}: đã thêm / added");
    Ok(())
}

/// Adds all or, when one of them is wrong, says so and adds none.
async fn import(store: &Store, file: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let list: ImportList = toml::from_str(&text).map_err(|error| {
        // Only where: the parser's own words repeat what stands there, which may be a password.
        let before = error.span().map_or(0, |s| text.as_bytes()[..s.start.min(text.len())].iter().filter(|b| **b == b'\n').count());
        let place = format!("{}: line {}", file.display(), before + 1);
        Refusal::new(
            place,
            "không đọc được dòng này; mỗi camera là một bảng [[camera]] với name, main_url, …, mỗi giá trị trong ngoặc kép",
            "cannot be read; each camera is a [[camera]] table with name, main_url, …, each value in double quotes",
        )
    })?;
    let (mut checked, mut wrong) = (Vec::new(), Vec::new());
    for (i, draft) in list.camera.iter().enumerate() {
        match draft.checked() {
            Ok(camera) => checked.push(camera),
            Err(refusals) => wrong.extend(refusals.into_iter().map(|r| r.within(&format!("camera[{i}]")))),
        }
    }
    if !wrong.is_empty() {
        return Err(refused(wrong));
    }
    let added = store.add_cameras(&actor(), &checked, Clock::machine().wall()).await;
    store.close().await;
    added?;
    say!("{} camera: đã thêm / added", checked.len());
    Ok(())
}

async fn list(store: &Store, json: bool) -> anyhow::Result<()> {
    let cameras = store.cameras().await?;
    store.close().await;
    if json {
        let rows: Vec<_> = cameras.iter().map(row).collect();
        say!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    if cameras.is_empty() {
        say!("Chưa có camera nào; thêm bằng: vonglau camera add --name … --main-url rtsp://… / No cameras yet");
    }
    for camera in &cameras {
        let url = |kind| camera.stream(kind).map_or_else(|| "-".to_owned(), |s| s.url.masked());
        say!("{}\t{}\t{}\t{}", camera.code, camera.name, url(StreamKind::Main), url(StreamKind::Sub));
    }
    Ok(())
}

fn row(camera: &Camera) -> serde_json::Value {
    let url = |kind| camera.stream(kind).map(|s| s.url.masked());
    serde_json::json!({
        "id": camera.id, "code": camera.code, "name": camera.name, "cluster": camera.cluster_name,
        "hamlet": camera.hamlet, "main_url": url(StreamKind::Main), "sub_url": url(StreamKind::Sub),
    })
}

async fn remove(store: &Store, code: &str) -> anyhow::Result<()> {
    let cameras = store.cameras().await?;
    let camera = cameras.iter().find(|c| c.code.eq_ignore_ascii_case(code)).ok_or_else(|| {
        let known: Vec<_> = cameras.iter().map(|c| c.code.as_str()).collect();
        Refusal::new(
            code,
            format!("không có camera mang mã này; hiện có: {}", known.join(", ")),
            format!("no camera has this code; there are: {}", known.join(", ")),
        )
    })?;
    store.retire_camera(&actor(), camera.id, Clock::machine().wall()).await?;
    store.close().await;
    say!("{}: đã gỡ, hình đã ghi vẫn giữ / removed, what it recorded stays", camera.code);
    Ok(())
}
