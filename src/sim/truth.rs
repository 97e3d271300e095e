//! What was drawn, as JSON lines: first `{"loop_us":…,"sub_fps":…,"cameras":…}`, then one line an object for every
//! frame of the sub stream's loop.

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{clip::frame_us, scene::Scene};
use crate::domain::{detection::Class, geometry::NormBox};

/// The first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Length of the loop, microseconds.
    pub loop_us: u64,
    /// Frames a second of the sub stream.
    pub sub_fps: u32,
    /// How many cameras.
    pub cameras: u32,
}

/// One object in one frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Number of the camera, from 1.
    pub camera: u32,
    /// Time of the frame within the loop, microseconds.
    pub t_us: u64,
    /// Stays with the object through the loop.
    pub id: u32,
    /// What it is.
    pub class: Class,
    /// Where it is, cut at the picture's edge.
    #[serde(rename = "box")]
    pub rect: NormBox,
}

/// Everything in one loop of a scene, frame by frame.
pub fn rows(scene: &Scene, camera: u32, fps: u32) -> impl Iterator<Item = Row> + '_ {
    (0..)
        .map(move |i| frame_us(i, fps))
        .take_while(|&t_us| t_us < scene.loop_us())
        .flat_map(move |t_us| scene.objects_at(t_us).into_iter().map(move |object| (t_us, object)))
        .map(move |(t_us, (id, class, rect))| Row { camera, t_us, id, class, rect })
}

/// Writes the truth of all cameras.
///
/// # Errors
/// The file's error.
pub fn write(path: &Path, head: Head, scene_of: impl Fn(u32) -> Scene) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    serde_json::to_writer(&mut file, &head)?;
    file.write_all(b"\n")?;
    for camera in 1..=head.cameras {
        for row in rows(&scene_of(camera), camera, head.sub_fps) {
            serde_json::to_writer(&mut file, &row)?;
            file.write_all(b"\n")?;
        }
    }
    file.flush()
}

/// Reads it back.
///
/// # Errors
/// The file's error, or `InvalidData` when a line is not what it should be.
pub fn read(path: &Path) -> std::io::Result<(Head, Vec<Row>)> {
    let mut lines = BufReader::new(File::open(path)?).lines();
    let head = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let rows = lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect::<std::io::Result<_>>()?;
    Ok((serde_json::from_str(&head)?, rows))
}
