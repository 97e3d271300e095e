//! The data folder: opening its database, and one process at a time in it.

use std::path::Path;

use crate::{domain::refusal::Refusal, store::Store};

/// The database in a data folder.
const DATABASE: &str = "vonglau.db";

/// Opens the database of a data folder, making the folder when it is not there.
///
/// # Errors
/// A [`Refusal`] naming the folder when it cannot be made or written.
pub async fn open_store(data: &Path) -> anyhow::Result<Store> {
    std::fs::create_dir_all(data).map_err(|error| unwritable(data, &error))?;
    Ok(Store::open(&data.join(DATABASE)).await?)
}

/// Opens the database of a data folder that has one: what only looks must not make a folder of a mistyped name.
///
/// # Errors
/// A [`Refusal`] naming the folder when there is no database in it.
pub async fn open_store_there(data: &Path) -> anyhow::Result<Store> {
    match data.join(DATABASE).try_exists() {
        Ok(true) => open_store(data).await,
        Ok(false) => Err(Refusal::new(
            data.display().to_string(),
            "ở đây chưa có dữ liệu của Vọng Lâu; hãy xem lại --data, hoặc chạy vonglau serve một lần để tạo",
            "there is no data of Vọng Lâu here; look at --data again, or run vonglau serve once to make it",
        )
        .into()),
        Err(error) => Err(unwritable(data, &error).into()),
    }
}

fn unwritable(folder: &Path, error: &std::io::Error) -> Refusal {
    Refusal::new(
        folder.display().to_string(),
        format!("không ghi được vào thư mục dữ liệu ({error}); hãy cấp quyền ghi hoặc chọn thư mục khác bằng --data"),
        format!("the data folder cannot be written ({error}); give write permission or choose another with --data"),
    )
}

/// Takes the data folder for this process until the file is dropped.
pub(super) fn lock_data(data: &Path) -> Result<std::fs::File, Refusal> {
    std::fs::create_dir_all(data).map_err(|error| unwritable(data, &error))?;
    let path = data.join("vonglau.lock");
    let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| unwritable(data, &error))?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(Refusal::new(
            data.display().to_string(),
            "thư mục dữ liệu đang được một chương trình vonglau khác dùng; hãy dừng chương trình đó hoặc chọn --data khác",
            "the data folder is in use by another vonglau; stop that one or choose another --data",
        )),
        Err(error) => Err(unwritable(data, &error.into())),
    }
}

/// Whether a service uses the data folder now.
#[must_use]
pub fn is_running(data: &Path) -> bool {
    let Ok(file) = std::fs::File::open(data.join("vonglau.lock")) else { return false };
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockShared).is_err()
}
