//! What a person has to know about recording, in their words.

use std::{fmt::Display, path::Path};

use super::RecordedStream;
use crate::{
    domain::{alarm::AlarmKind, ids::CameraId, refusal::Refusal, time::MediaTime},
    runtime::board::Board,
};

/// The disk could not write down what it had taken.
pub(super) fn flush_failed(board: &Board, stream: &RecordedStream, error: &dyn Display, now: MediaTime) {
    let code = &stream.camera_code;
    let text = (
        format!(
            "Ổ lưu hình không ghi xuống được ({error}; camera {code}). Hình đang có đã được ghi lại vào tệp mới, nhưng ổ có \
             thể sắp hỏng: hãy kiểm tra dây và ổ, thay ổ nếu còn lặp lại."
        ),
        format!(
            "The store's disk could not write down what it had taken ({error}; camera {code}). What was in memory was \
             written again into a new file, but the disk may be failing: check its cable, and replace it if this comes again."
        ),
    );
    board.raise(AlarmKind::DiskFlushFailed, Some(stream.camera), 1, text, now);
}

/// Recordings are not what was written.
pub(super) fn damaged(board: &Board, camera: CameraId, places: u64, first: &str, now: MediaTime) {
    let text = (
        format!(
            "Hình đã ghi không còn như lúc ghi ({first}). Hãy sao lưu phần quan trọng và kiểm tra ổ đĩa; lệnh «vonglau \
             verify» nêu từng chỗ."
        ),
        format!(
            "A recording is not what was written ({first}). Copy what matters elsewhere and check the disk; `vonglau verify` \
             names every place."
        ),
    );
    board.raise(AlarmKind::Damaged, Some(camera), places, text, now);
}

/// The store folder is not there or not to be used.
pub(super) fn missing(board: &Board, why: &Refusal, now: MediaTime) {
    let text = (
        format!("Không ghi được hình: {} – {}.", why.place, why.vi),
        format!("Nothing is recorded: {} – {}.", why.place, why.en),
    );
    board.raise(AlarmKind::DiskMissing, None, 1, text, now);
}

/// The disk takes nothing.
pub(super) fn refused(board: &Board, error: &dyn Display, now: MediaTime) {
    let text = (
        format!(
            "Ổ lưu hình không nhận dữ liệu ({error}): hình đang bị mất. Hãy kiểm tra ổ còn chỗ, không bị gắn chỉ-đọc, không \
             lỏng dây."
        ),
        format!(
            "The store's disk takes nothing ({error}): pictures are being lost. Check that it has room, is not mounted \
             read-only, and its cable."
        ),
    );
    board.raise(AlarmKind::DiskRefused, None, 1, text, now);
}

/// The disk is full and nothing more may be removed.
pub(super) fn full(board: &Board, folder: &Path, now: MediaTime) {
    let folder = folder.display();
    let text = (
        format!(
            "Ổ lưu hình đầy ({folder}) và không còn gì được phép xóa. Hãy mở bớt khóa, giảm số ngày giữ, hoặc thêm ổ."
        ),
        format!(
            "The store's disk is full ({folder}) and nothing more may be removed. Release locks, keep fewer days, or add a disk."
        ),
    );
    board.raise(AlarmKind::DiskFull, None, 1, text, now);
}

/// The disk is too slow.
pub(super) fn shedding(board: &Board, stream: &RecordedStream, now: MediaTime) {
    let code = &stream.camera_code;
    let text = (
        format!(
            "Ổ lưu hình ghi không kịp: hình của camera {code} đang bị bỏ bớt. Hãy giảm tốc độ bit của camera hoặc dùng ổ nhanh hơn."
        ),
        format!(
            "The store's disk is too slow: pictures of camera {code} are left out. Lower the camera's bit rate or use a faster disk."
        ),
    );
    board.raise(AlarmKind::Shedding, Some(stream.camera), 1, text, now);
}
